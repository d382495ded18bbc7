// StreamMetrics and StreamEvents: a reader's stream is a place in this branch's metric store, and
// one write at a time.
#pragma once

#include <deque>
#include <memory>
#include <utility>

#include "branch/telemetry/metric_store.h"
#include "branch/telemetry/stream/convert.h"
#include "branch/telemetry/stream/metric_call.h"
#include "branch/telemetry/stream/update_writer.h"

namespace bank::telemetry {

template <class Message>
class MetricStreams::ReaderCall : public Call, public grpc::ServerWriteReactor<Message> {
 public:
  explicit ReaderCall(MetricStreams& streams) : Call(streams, streams.readers_) {}

  void OnWriteDone(bool ok) override {
    Post([this, ok] {
      writing_ = false;
      ok ? this->Pump() : End({grpc::StatusCode::CANCELLED, "the reader is gone"});
    });
  }
  void OnCancel() override {
    Post([this] { End({grpc::StatusCode::CANCELLED, "the reader is gone"}); });
  }
  void OnDone() override {
    Post([this] { delete this; });
  }

  void End(const grpc::Status& status) override {
    if (!Leave()) return;
    place_.reset();
    this->Finish(status);
  }

 protected:
  // False: it has been ended.
  bool Begin(MetricStore::Start start) {
    if (!Enter(streams_.options_.readers_max)) return false;
    place_ = streams_.store_.Subscribe(std::move(start), [this] {
      Post([this] {
        if (!ended()) streams_.Wake(this);
      });
    });
    this->StartSendInitialMetadata();
    return true;
  }
  MetricStore::Subscription& place() { return *place_; }
  bool busy() const { return ended() || writing_; }
  void Write(const Message* message) {
    writing_ = true;
    this->StartWrite(message);
  }

 private:
  std::unique_ptr<MetricStore::Subscription> place_;
  bool writing_ = false;
};

class MetricStreams::MetricsCall final : public ReaderCall<v1::MetricUpdate> {
 public:
  MetricsCall(MetricStreams& streams, const v1::StreamMetricsRequest& request);

  void Pump() override;
  void Tick() override;

 private:
  UpdateWriter writer_;
  v1::MetricUpdate update_;
  bool life_due_ = false;
};

class MetricStreams::EventsCall final : public ReaderCall<v1::Event> {
 public:
  EventsCall(MetricStreams& streams, const v1::StreamEventsRequest& request);

  void Pump() override;

 private:
  const bool follow_;
  std::deque<Event> events_;
  v1::Event event_;
};

}  // namespace bank::telemetry
