#include "checker/history_passes.h"

#include "fmt/format.h"

namespace bank::checker {
namespace {

// More operations than this in the window, and the files are read once more to learn which
// operations never complete.
constexpr size_t kWindowMax = 1 << 20;
constexpr int kPassesMax = 40;

absl::Status Over() { return absl::DeadlineExceededError("the budget is over"); }

}  // namespace

void HistoryPasses::Count(const Operation& op) {
  Counts& counts = judgement_.counts[static_cast<size_t>(op.kind)];
  ++judgement_.operations;
  if (op.fate == Fate::kInfo) {
    ++counts.info;
  } else if (op.fate == Fate::kFail) {
    ++counts.fail;
  } else {
    ++(op.answer == Answer::kOk ? counts.ok : counts.refused);
  }
}

// Starts a pass with all that is known beforehand.
void HistoryPasses::Prepare() {
  judgement_.counts = {};
  judgement_.operations = 0;
  indexless_ = 0;
  indexed_ = 0;
  keys_ = {};
  given_up_.clear();
  window_full_ = false;
  key_violations_.clear();
  initial_ = reader_->initial();
  Certificate::Options options;
  options.foreign_writers = options_.foreign_writers;
  options.order_only = focus_.order_only;
  options.has_others = focus_.has_others;
  options.keep_all = focus_.keep_all;
  options.placed = focus_.placed;
  certificate_ = std::make_unique<Certificate>(initial_, &judgement_.names, options);
  bool again = false;
  for (const auto& [id, op] : knowledge_.operations) Feed(op, &again);
  for (const auto& [key, attempts] : knowledge_.attempts) {
    if (!knowledge_.collected.contains(key)) continue;
    MergedDuplicates merged = MergeDuplicates(attempts);
    for (const Operation& op : merged.answered) Feed(op, &again);
    for (const Operation& op : merged.unknown) Feed(op, &again);
    for (Violation& violation : merged.violations) {
      key_violations_.push_back(std::move(violation));
    }
  }
}

void HistoryPasses::Feed(const Operation& op, bool* again) {
  if (op.is_unknown()) {
    certificate_->AddUnknown(op);
  } else if (op.is_read() || op.is_positioned()) {
    if (!op.has_index) {
      ++indexless_;
      return;
    }
    ++indexed_;
    if (!certificate_->Add(op)) {
      knowledge_.operations[{op.process, op.id}] = op;
      *again = true;
    }
  }
}

void HistoryPasses::Take(const Operation& op, bool* again) {
  const OperationId id{op.process, op.id};
  const OperationKey key{op.session, op.sequence};
  const bool keyed = op.is_write() && op.has_key();
  bool resolved = false;
  if (op.fate == Fate::kInfo) {
    given_up_[id] = keyed ? key : OperationKey{};
  } else if (!given_up_.empty() && given_up_.erase(id) != 0) {
    resolved = true;
    --judgement_.counts[static_cast<size_t>(op.kind)].info;
    --judgement_.operations;
  }
  Count(op);
  if (op.is_absurd() && key_violations_.empty()) {
    Violation violation;
    violation.why =
        fmt::format("a query is answered {}, which only a write can be", AnswerName(op.answer));
    violation.operations = {op};
    key_violations_.push_back(std::move(violation));
  }
  if (keyed && !knowledge_.attempts.empty()) {
    const auto found = knowledge_.attempts.find(key);
    if (found != knowledge_.attempts.end()) {
      if (!knowledge_.collected.contains(key)) {
        std::vector<Operation>& attempts = found->second;
        std::erase_if(attempts, [&](const Operation& other) {  // the last word counts
          return other.process == op.process && other.id == op.id;
        });
        attempts.push_back(op);
      }
      knowledge_.operations.erase(id);
      return;
    }
  }
  // Keys of operations that are given up are entered at the end: they may still be resolved.
  if (keyed && op.fate != Fate::kInfo && !keys_.Insert(key)) {
    knowledge_.attempts[key];
    *again = true;
    return;
  }
  if (resolved || (window_full_ && op.fate == Fate::kInfo)) {
    auto [known, fresh] = knowledge_.operations.try_emplace(id, op);
    if (fresh || known->second.fate != op.fate) {
      known->second = op;
      *again = true;
    }
  }
  if (*again || (!knowledge_.operations.empty() && knowledge_.operations.contains(id))) return;
  Feed(op, again);
}

absl::Status HistoryPasses::Pass(bool* again) {
  *again = false;
  reader_ = std::make_unique<HistoryReader>(judgement_.inputs, &judgement_.names);
  reader_->Disregard(&knowledge_.operations);
  if (absl::Status opened = reader_->Open(); !opened.ok()) return opened;
  Prepare();
  std::vector<OperationKey> collecting;
  for (const auto& [key, attempts] : knowledge_.attempts) {
    if (!knowledge_.collected.contains(key)) collecting.push_back(key);
  }
  Operation op;
  for (uint64_t rounds = 1; reader_->Next(&op); ++rounds) {
    if (judgement_.passes != 0 && IsOver(rounds)) return Over();
    Take(op, again);
    if (*again) continue;
    certificate_->Advance(reader_->oldest_open_invocation());
    if (certificate_->window() > kWindowMax && judgement_.passes == 0) {
      window_full_ = true;
      *again = true;
    }
  }
  if (!reader_->status().ok()) return reader_->status();
  for (const auto& [id, key] : given_up_) {
    if (key.sequence == 0 || knowledge_.attempts.contains(key)) continue;
    if (!keys_.Insert(key)) {
      knowledge_.attempts[key];
      *again = true;
    }
  }
  for (const OperationKey& key : collecting) {
    knowledge_.collected.insert(key);
    *again = true;
  }
  judgement_.lines = reader_->lines();
  return absl::OkStatus();
}

absl::Status HistoryPasses::Settle(const Focus& focus) {
  focus_ = focus;
  const uint64_t most = judgement_.passes + kPassesMax;
  for (bool again = true; again;) {
    if (absl::Status status = Pass(&again); !status.ok()) return status;
    if (++judgement_.passes > most) {
      return absl::InternalError("the history cannot be brought into order");
    }
  }
  return absl::OkStatus();
}

std::vector<std::vector<Operation>> HistoryPasses::attempts() const {
  std::vector<std::vector<Operation>> attempts;
  for (const auto& [key, operations] : knowledge_.attempts) attempts.push_back(operations);
  return attempts;
}

// All operations once more: attempts with one key as one, and those resolved later as such.
absl::Status HistoryPasses::ForEachEffect(const std::function<void(const Operation&)>& take) {
  HistoryReader reader(judgement_.inputs, &judgement_.names);
  if (absl::Status opened = reader.Open(); !opened.ok()) return opened;
  Operation op;
  for (uint64_t rounds = 1; reader.Next(&op); ++rounds) {
    if (IsOver(rounds)) return Over();
    if (op.is_write() && op.has_key() && knowledge_.attempts.contains({op.session, op.sequence})) {
      continue;
    }
    const auto known = knowledge_.operations.find({op.process, op.id});
    if (known != knowledge_.operations.end() && known->second.fate != op.fate) continue;
    take(op);
  }
  if (!reader.status().ok()) return reader.status();
  for (const auto& [key, attempts] : knowledge_.attempts) {
    const MergedDuplicates merged = MergeDuplicates(attempts);
    for (const Operation& each : merged.answered) take(each);
    for (const Operation& each : merged.unknown) take(each);
  }
  return absl::OkStatus();
}

}  // namespace bank::checker
