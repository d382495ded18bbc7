#include "branch/rpc/batch_stream.h"

#include <algorithm>

#include "branch/rpc/convert.h"
#include "branch/rpc/deadline.h"

namespace bank::rpc {

BatchStream::BatchStream(const ServiceContext& service, grpc::CallbackServerContext* call)
    : service_(service), peer_(call->peer()), call_(*call) {
  if (service_.connection_tracker != nullptr) service_.connection_tracker->NoteOpened(peer_);
  absl::MutexLock lock(&mutex_);
  Advance();
}

BatchStream::~BatchStream() {
  if (service_.connection_tracker != nullptr) service_.connection_tracker->NoteClosed(peer_);
}

void BatchStream::OnReadDone(bool ok) {
  Slot* slot = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    if (!ok) {
      reading_ = false;
      ended_ = true;
      Advance();
      return;
    }
    slot = &slots_.emplace_back();
    // One for the batch, one for this reaction: the object outlives both.
    pending_ += 2;
  }
  Submit(slot);
  {
    absl::MutexLock lock(&mutex_);
    reading_ = false;
  }
  Release();
}

void BatchStream::Submit(Slot* slot) {
  slot->reply.set_first_sequence(batch_.first_sequence());
  const auto weight = static_cast<int64_t>(batch_.kind_size());
  if (const InflightLimit::Entry entry = service_.inflight_limit.Enter(weight);
      entry != InflightLimit::Entry::kEntered) {
    slot->reply.set_fate(v1::BatchReply::NOT_APPLIED);
    slot->reply.set_message(StatusOfEntry(entry).error_message());
    return Answered(slot);
  }
  const teller::Batch batch = ColumnsOf(batch_, &scratch_);
  slot->begin_ns = service_.clock.NowNs();
  slot->reads =
      static_cast<uint64_t>(std::count(batch.kind.begin(), batch.kind.end(), ledger::Kind::kQuery));
  slot->writes = batch.kind.size() - slot->reads;
  service_.teller.ExecuteBatch(
      batch, DeadlineNs(service_.clock, call_, batch_.deadline_ms()),
      [this, slot](const teller::BatchReply& result) { OnReply(slot, result); });
}

void BatchStream::OnReply(Slot* slot, const teller::BatchReply& result) {
  const int64_t took_ns = service_.clock.NowNs() - slot->begin_ns;
  if (slot->reads > 0) service_.metrics.reads.Record(took_ns, slot->reads);
  if (slot->writes > 0) service_.metrics.writes.Record(took_ns, slot->writes);
  FillBatchReply(result, &slot->reply);
  service_.inflight_limit.Leave(static_cast<int64_t>(slot->reads + slot->writes));
  Answered(slot);
}

void BatchStream::Answered(Slot* slot) {
  {
    absl::MutexLock lock(&mutex_);
    slot->answered = true;
  }
  Release();
}

void BatchStream::Release() {
  bool last = false;
  {
    absl::MutexLock lock(&mutex_);
    --pending_;
    Advance();
    last = done_ && pending_ == 0;
  }
  if (last) delete this;
}

void BatchStream::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mutex_);
  writing_ = false;
  slots_.pop_front();
  if (!ok) broken_ = true;
  Advance();
}

void BatchStream::OnCancel() {
  absl::MutexLock lock(&mutex_);
  broken_ = true;
  Advance();
}

void BatchStream::OnDone() {
  bool last = false;
  {
    absl::MutexLock lock(&mutex_);
    done_ = true;
    last = pending_ == 0;
  }
  if (last) delete this;
}

void BatchStream::Advance() {
  if (finished_ || writing_) {
    // A write in flight ends with OnWriteDone(), which looks again; reading goes on meanwhile.
  } else if (broken_) {
    finished_ = true;
    Finish({grpc::StatusCode::CANCELLED, "the stream was broken off"});
  } else if (!slots_.empty() && slots_.front().answered) {
    writing_ = true;
    StartWrite(&slots_.front().reply);
  } else if (ended_ && slots_.empty()) {
    finished_ = true;
    Finish(grpc::Status::OK);
  }
  if (!finished_ && !broken_ && !ended_ && !reading_ && slots_.size() < kBatchesInFlightMax) {
    reading_ = true;
    StartRead(&batch_);
  }
}

}  // namespace bank::rpc
