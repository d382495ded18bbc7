#include "branch/rpc/metric_streams.h"

#include <fmt/format.h>
#include <grpcpp/client_context.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "branch/agent/convert.h"
#include "branch/agent/push_call.h"
#include "branch/agent/uplink.h"
#include "branch/rpc/sample_filter.h"

namespace bank::rpc {
namespace {

using agent::FrameDecoder;
using agent::FrameEncoder;
using agent::kNoMaster;
using grpc::StatusCode;
using monitor::Feed;

// A stream that was passed on once is not passed on again.
constexpr char kRelayedKey[] = "bank-relayed";
constexpr char kStopping[] = "this branch is stopping";
constexpr size_t kFramesAtATime = 8;      // samples are large
constexpr size_t kRawFramesAtATime = 64;  // frames are small
constexpr size_t kEventsPastMax = 1000;
constexpr int64_t kTickNs = 500'000'000;
// Wakes within this time share a message.
constexpr int64_t kFlushNs = 10'000'000;
constexpr int64_t kFlushNsBusy = 100'000'000;
constexpr size_t kReadersBusy = 10;

grpc::Status ToGrpc(const absl::Status& status) {
  return {static_cast<StatusCode>(status.code()), std::string(status.message())};
}

std::string_view Metadata(const grpc::CallbackServerContext& context, const char* key) {
  const auto& all = context.client_metadata();
  const auto found = all.find(key);
  if (found == all.end()) return {};
  return {found->second.data(), found->second.size()};
}

void AddSample(const monitor::Frame& frame, const monitor::Reading& reading, v1::Sample* sample) {
  sample->set_time_unix_nanos(frame.time_unix_ns);
  sample->set_hostname(frame.agent->hostname);
  sample->set_metric(reading.series->metric);
  sample->set_value(reading.value);
  sample->set_sequence(frame.sequence);
  for (const auto& [key, value] : reading.series->attributes) {
    (*sample->mutable_attributes())[key] = value;
  }
  sample->set_unit(reading.series->unit);
  sample->set_branch(static_cast<uint32_t>(frame.agent->branch.value));
  sample->set_agent(frame.agent->name);
  sample->set_incarnation(frame.agent->incarnation);
}

}  // namespace

// What all streams share: they live from construction to their OnDone, are finished once, and do
// everything on the worker.
class MetricStreams::Call {
 public:
  Call(MetricStreams& streams, std::set<Call*>& group) : streams_(streams), group_(group) {
    streams_.living_.Add();
  }
  virtual ~Call() { streams_.living_.Remove(); }

  virtual void End(const grpc::Status& status) = 0;
  virtual void Pump() {}
  virtual void Tick() {}
  virtual void OnMaster(const agent::Master&) {}

 protected:
  // On the worker, first of all. False: it has been ended.
  bool Enter(size_t max) {
    if (streams_.stopping_) {
      End({StatusCode::UNAVAILABLE, kStopping});
    } else if (group_.size() >= max) {
      End({StatusCode::RESOURCE_EXHAUSTED, "too many streams at this branch"});
    } else {
      group_.insert(this);
      return true;
    }
    return false;
  }
  // True for the first who ends it.
  bool Leave() {
    group_.erase(this);
    streams_.awake_.erase(this);
    return !std::exchange(ended_, true);
  }
  bool ended() const { return ended_; }
  void Post(agent::Worker::Task task) { streams_.worker_.Post(std::move(task)); }

  MetricStreams& streams_;

 private:
  std::set<Call*>& group_;
  bool ended_ = false;
};

// --- PushMetrics ---

// An agent's stream, passed on to the master: message by message, each read after the one before it
// was written, so that the agent is held back as the master holds back.
class MetricStreams::Relay final : public agent::PushReactor {
 public:
  Relay(PushCall* call, agent::Worker& worker, net::Living& living, const agent::Master& master)
      : call_(call), worker_(worker), living_(living) {
    living_.Add();
    context_.AddMetadata(kRelayedKey, "1");
    agent::PreparePush(master.channel, &context_, this);
    AddHold();
    StartRead(&reply_);
    StartCall();
  }
  void Write(const v1::MetricPush& message) {
    if (open_) StartWrite(&message);
  }
  // The agent is gone: its stream ends there as it ended here.
  void Detach(bool cleanly) {
    call_ = nullptr;
    if (!std::exchange(open_, false)) return;
    if (cleanly) {
      StartWritesDone();
    } else {
      context_.TryCancel();
    }
    RemoveHold();
  }

  void OnReadInitialMetadataDone(bool ok) override;
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

 private:
  PushCall* call_;  // of the worker; nullptr: gone
  agent::Worker& worker_;
  net::Living& living_;
  grpc::ClientContext context_;
  v1::PushMetricsReply reply_;
  bool open_ = true;
};

class MetricStreams::PushCall final : public Call, public grpc::ServerReadReactor<v1::MetricPush> {
 public:
  PushCall(MetricStreams& streams, grpc::CallbackServerContext* context)
      : Call(streams, streams.pushes_), context_(*context) {
    Post([this] {
      if (Enter(streams_.options_.agents_max)) StartRead(&message_);
    });
  }

  void OnReadDone(bool ok) override {
    Post([this, ok] { ok ? Take() : End(grpc::Status::OK); });
  }
  void OnCancel() override {
    Post([this] {
      cancelled_ = true;
      End({StatusCode::CANCELLED, "the stream was broken off"});
    });
  }
  void OnDone() override {
    Post([this] { delete this; });
  }

  void End(const grpc::Status& status) override {
    if (!Leave()) return;
    if (relay_ != nullptr) std::exchange(relay_, nullptr)->Detach(status.ok() && !cancelled_);
    if (agent_ != nullptr && !relayed_) {
      const auto mine = streams_.by_agent_.find(agent_->name);
      if (mine != streams_.by_agent_.end() && mine->second == this) {
        streams_.by_agent_.erase(mine);
        // Those that are sent elsewhere live.
        if (status.error_message() != kNoMaster) streams_.feed_.NoteBroken(agent_->name);
      }
    }
    Finish(status);
  }
  void OnMaster(const agent::Master& master) override {
    if (agent_ != nullptr && !master.SameAs(master_)) End({StatusCode::UNAVAILABLE, kNoMaster});
  }

  // Of the relay.
  void PassMetadata(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata) {
    if (ended()) return;
    if (const auto last = metadata.find(agent::kLastSequenceKey); last != metadata.end()) {
      context_.AddInitialMetadata(agent::kLastSequenceKey,
                                  std::string(last->second.data(), last->second.size()));
      StartSendInitialMetadata();
    }
  }
  void ReadOn() {
    if (!ended()) StartRead(&message_);
  }
  void RelayEnded(const grpc::Status& status) {
    relay_ = nullptr;
    // What the master says of the agent itself stays; all else is "not now".
    const bool says = status.error_code() == StatusCode::INVALID_ARGUMENT ||
                      status.error_code() == StatusCode::FAILED_PRECONDITION ||
                      status.error_code() == StatusCode::ABORTED ||
                      status.error_code() == StatusCode::RESOURCE_EXHAUSTED;
    End(says ? status : grpc::Status(StatusCode::UNAVAILABLE, kNoMaster));
  }

 private:
  void Take() {
    if (ended()) return;
    if (agent_ == nullptr && !Begin()) return;
    if (relayed_) {
      if (relay_ != nullptr) relay_->Write(message_);
      return;  // ReadOn() follows
    }
    if (!streams_.feed_.NoteAlive(agent_)) {
      return End({StatusCode::FAILED_PRECONDITION, "a later run of this agent is known"});
    }
    for (const v1::MetricFrame& wire : message_.frames()) {
      auto frame = decoder_.Decode(agent_, wire);
      if (!frame.ok()) return End(ToGrpc(frame.status()));
      streams_.feed_.AddFrame(*std::move(frame));
    }
    StartRead(&message_);
  }
  // The first message. False: the call has been ended.
  bool Begin() {
    if (!message_.has_hello()) {
      End({StatusCode::INVALID_ARGUMENT, "the first message has no hello"});
      return false;
    }
    auto agent = agent::FromWire(message_.hello());
    if (!agent.ok()) {
      End(ToGrpc(agent.status()));
      return false;
    }
    const std::string_view bank = Metadata(context_, agent::kBankKey);
    if (grpc::Status checked = streams_.CheckHello(**agent, bank); !checked.ok()) {
      End(checked);
      return false;
    }
    master_ = streams_.masters_.Current();
    const bool may_relay = bank.empty() && Metadata(context_, kRelayedKey).empty();
    if (!master_.self && (master_.stub == nullptr || !may_relay)) {
      End({StatusCode::UNAVAILABLE, kNoMaster});
      return false;
    }
    agent_ = *std::move(agent);
    relayed_ = !master_.self;
    if (relayed_) {
      relay_ = new Relay(this, streams_.worker_, streams_.living_, master_);
      return true;
    }
    if (!streams_.feed_.NoteAlive(agent_)) {
      agent_.reset();
      End({StatusCode::FAILED_PRECONDITION,
           "a later run of this agent is known, or there are too many agents"});
      return false;
    }
    PushCall*& current = streams_.by_agent_[agent_->name];
    PushCall* const earlier = std::exchange(current, this);
    if (earlier != nullptr) {
      earlier->End({StatusCode::ABORTED, "the agent has opened another stream"});
    }
    const monitor::FeedPosition last = streams_.feed_.LastOf(agent_->name);
    const uint64_t sequence = last.incarnation == agent_->incarnation ? last.sequence : 0;
    context_.AddInitialMetadata(agent::kLastSequenceKey, std::to_string(sequence));
    StartSendInitialMetadata();
    return true;
  }

  grpc::CallbackServerContext& context_;
  v1::MetricPush message_;
  agent::Master master_;
  monitor::AgentPtr agent_;  // nullptr: no hello yet
  FrameDecoder decoder_;
  bool relayed_ = false;
  bool cancelled_ = false;
  Relay* relay_ = nullptr;
};

void MetricStreams::Relay::OnReadInitialMetadataDone(bool ok) {
  worker_.Post([this, ok] {
    if (ok && call_ != nullptr) call_->PassMetadata(context_.GetServerInitialMetadata());
  });
}

void MetricStreams::Relay::OnReadDone(bool) {
  worker_.Post([this] {
    if (std::exchange(open_, false)) RemoveHold();  // the status comes with OnDone
  });
}

void MetricStreams::Relay::OnWriteDone(bool ok) {
  worker_.Post([this, ok] {
    if (ok && call_ != nullptr) call_->ReadOn();
  });
}

void MetricStreams::Relay::OnDone(const grpc::Status& status) {
  worker_.Post([this, status] {
    if (call_ != nullptr) call_->RelayEnded(status);
    net::Living& living = living_;
    delete this;
    living.Remove();
  });
}

// --- Readers ---

// A reader's stream: a place in the feed, and one write at a time.
template <class Message>
class MetricStreams::ReaderCall : public Call, public grpc::ServerWriteReactor<Message> {
 public:
  explicit ReaderCall(MetricStreams& streams) : Call(streams, streams.readers_) {}

  void OnWriteDone(bool ok) override {
    Post([this, ok] {
      writing_ = false;
      ok ? this->Pump() : End({StatusCode::CANCELLED, "the reader is gone"});
    });
  }
  void OnCancel() override {
    Post([this] { End({StatusCode::CANCELLED, "the reader is gone"}); });
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
  bool Begin(Feed::Start start) {
    if (!Enter(streams_.options_.readers_max)) return false;
    place_ = streams_.feed_.Subscribe(std::move(start), [this] {
      Post([this] {
        if (!ended()) streams_.Wake(this);
      });
    });
    this->StartSendInitialMetadata();
    return true;
  }
  Feed::Subscription& place() { return *place_; }
  bool busy() const { return ended() || writing_; }
  void Write(const Message* message) {
    writing_ = true;
    this->StartWrite(message);
  }

 private:
  std::unique_ptr<Feed::Subscription> place_;
  bool writing_ = false;
};

// --- StreamMetrics ---

class MetricStreams::MetricsCall final : public ReaderCall<v1::MetricUpdate> {
 public:
  MetricsCall(MetricStreams& streams, const v1::StreamMetricsRequest& request)
      : ReaderCall(streams), filter_(request), raw_(request.frames()) {
    Feed::Start start{
        .since_unix_ns = request.since_unix_nanos(),
        .lag_max_ns = raw_ ? 0 : streams.options_.lag_max_ns,
        .weight = [this](const monitor::Frame& frame) { return filter_.Count(frame); },
        .events = raw_,
        .audits = raw_};
    for (const auto& position : request.after()) {
      start.after[position.agent()] = {position.incarnation(), position.sequence()};
    }
    Post([this, start = std::move(start)]() mutable {
      if (!Begin(std::move(start))) return;
      life_due_ = raw_;
      Pump();
    });
  }

  void Pump() override {
    if (busy()) return;
    update_.Clear();
    for (;;) {
      const Feed::Portion portion = place().Take(raw_ ? kRawFramesAtATime : kFramesAtATime);
      if (portion.empty()) break;
      Add(portion);
      if (update_.ByteSizeLong() > 0) break;  // the filter may have left nothing
    }
    if (update_.ByteSizeLong() == 0 && std::exchange(life_due_, false)) AddLives();
    if (update_.ByteSizeLong() == 0) return;
    Write(&update_);
  }
  void Tick() override {
    if (!raw_) return;
    life_due_ = true;
    Pump();
  }

 private:
  void Add(const Feed::Portion& portion) {
    update_.set_missed_samples(update_.missed_samples() + portion.missed);
    std::set<std::string_view> wanted;
    for (const monitor::FramePtr& frame : portion.frames) {
      if (!filter_.Wants(*frame->agent)) continue;
      wanted.insert(frame->agent->name);
      raw_ ? AddFrame(*frame) : AddSamples(*frame);
    }
    // A gap's next frame is in the same portion.
    for (const monitor::FeedGap& gap : portion.gaps) {
      if (wanted.contains(gap.agent)) agent::ToWire(gap, update_.add_gaps());
    }
    for (const monitor::Event& event : portion.events) agent::ToWire(event, update_.add_events());
    for (const auto& record : portion.audits) agent::ToWire(record, update_.add_audits());
  }
  void AddSamples(const monitor::Frame& frame) {
    for (const monitor::Reading& reading : frame.readings) {
      if (filter_.Wants(reading.series)) AddSample(frame, reading, update_.add_samples());
    }
  }
  void AddFrame(const monitor::Frame& frame) {
    auto* wire = update_.add_frames();
    agent::ToWire(*frame.agent, wire->mutable_agent());
    monitor::Frame chosen = frame;
    chosen.events.clear();  // they come by themselves
    if (!filter_.wants_all_series()) {
      std::erase_if(chosen.readings, [this](const monitor::Reading& reading) {
        return !filter_.Wants(reading.series);
      });
    }
    encoder_.Encode(chosen, wire->mutable_frame());
  }
  void AddLives() {
    const int64_t now_ns = streams_.worker_.clock().NowNs();
    for (const monitor::AgentView& view : streams_.feed_.Agents()) {
      if (!filter_.Wants(*view.agent)) continue;
      auto* wire = update_.add_frames();
      agent::ToWire(*view.agent, wire->mutable_agent());
      agent::ToWire(view.liveness, view.life, now_ns, wire->mutable_life());
      if (view.status) {
        agent::ToWire(*view.status, view.agent->branch, wire->mutable_frame()->mutable_status());
      }
    }
  }

  SampleFilter filter_;
  const bool raw_;
  FrameEncoder encoder_;
  v1::MetricUpdate update_;
  bool life_due_ = false;
};

// --- StreamEvents ---

class MetricStreams::EventsCall final : public ReaderCall<v1::Event> {
 public:
  EventsCall(MetricStreams& streams, const v1::StreamEventsRequest& request)
      : ReaderCall(streams), follow_(request.follow()) {
    Post([this, past = std::min<size_t>(request.past(), kEventsPastMax)] {
      if (Begin({.frames = false, .events = true, .events_past = past})) Pump();
    });
  }

  void Pump() override {
    if (busy()) return;
    if (events_.empty()) {
      Feed::Portion portion = place().Take(0);
      events_.assign(std::make_move_iterator(portion.events.begin()),
                     std::make_move_iterator(portion.events.end()));
    }
    if (!events_.empty()) {
      event_.Clear();
      agent::ToWire(events_.front(), &event_);
      events_.pop_front();
      Write(&event_);
    } else if (!follow_) {
      End(grpc::Status::OK);
    }
  }

 private:
  const bool follow_;
  std::deque<monitor::Event> events_;
  v1::Event event_;
};

// --- The service ---

MetricStreams::MetricStreams(MetricStreamsOptions options, Feed& feed, agent::Masters& masters,
                             agent::Worker& worker)
    : options_(std::move(options)), feed_(feed), masters_(masters), worker_(worker) {
  masters_.Watch([this](const agent::Master& master) {
    const std::vector<Call*> pushes(pushes_.begin(), pushes_.end());
    for (Call* call : pushes) call->OnMaster(master);
  });
  worker_.Post([this] { Tick(); });
}

void MetricStreams::Shutdown() {
  absl::Notification ended;
  worker_.Post([this, &ended] {
    stopping_ = true;
    for (const std::set<Call*>* group : {&pushes_, &readers_}) {
      const std::vector<Call*> calls(group->begin(), group->end());
      for (Call* call : calls) call->End({StatusCode::UNAVAILABLE, kStopping});
    }
    ended.Notify();
  });
  ended.WaitForNotification();
}

void MetricStreams::AwaitEnded() { living_.AwaitNone(); }

grpc::ServerReadReactor<v1::MetricPush>* MetricStreams::PushMetrics(
    grpc::CallbackServerContext* call, v1::PushMetricsReply*) {
  return new PushCall(*this, call);
}

grpc::ServerWriteReactor<v1::MetricUpdate>* MetricStreams::StreamMetrics(
    grpc::CallbackServerContext*, const v1::StreamMetricsRequest* request) {
  return new MetricsCall(*this, *request);
}

grpc::ServerWriteReactor<v1::Event>* MetricStreams::StreamEvents(
    grpc::CallbackServerContext*, const v1::StreamEventsRequest* request) {
  return new EventsCall(*this, *request);
}

void MetricStreams::Wake(Call* call) {
  awake_.insert(call);
  if (std::exchange(flush_due_, true)) return;
  const int64_t pause_ns = readers_.size() > kReadersBusy ? kFlushNsBusy : kFlushNs;
  worker_.PostAt(worker_.clock().NowNs() + pause_ns, [this] { Flush(); });
}

void MetricStreams::Flush() {
  flush_due_ = false;
  for (Call* call : std::exchange(awake_, {})) call->Pump();
}

void MetricStreams::Tick() {
  if (stopping_) return;
  const std::vector<Call*> readers(readers_.begin(), readers_.end());
  for (Call* call : readers) call->Tick();
  worker_.PostAt(worker_.clock().NowNs() + kTickNs, [this] { Tick(); });
}

grpc::Status MetricStreams::CheckHello(const monitor::Agent& agent, std::string_view bank) const {
  const bool of_branch =
      options_.branches.contains(agent.branch) ||
      std::any_of(options_.branches.begin(), options_.branches.end(), [&](BranchId branch) {
        return agent.name == fmt::format("branch-{}", branch.value);
      });
  if (of_branch && bank != agent::BankValue(options_.bank)) {
    return {StatusCode::PERMISSION_DENIED,
            fmt::format("agent '{}', branch {}: only a branch of this bank may speak in its name",
                        agent.name, agent.branch.value)};
  }
  return grpc::Status::OK;
}

}  // namespace bank::rpc
