#include "checker/judge.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <set>

#include "absl/container/flat_hash_set.h"
#include "checker/attempts.h"
#include "checker/certificate.h"
#include "checker/digests.h"
#include "checker/key_book.h"
#include "checker/search.h"
#include "checker/witness.h"
#include "fmt/format.h"

namespace bank::checker {
namespace {

// More operations than this in the window, and the files are read once more to learn which
// operations never complete.
constexpr size_t kWindowMax = 1 << 20;
constexpr int kPassesMax = 40;
constexpr size_t kPairsOf = 400;
// So many operations are loaded for a search; each takes about 120 bytes.
constexpr size_t kSearchedMax = 4'000'000;
constexpr size_t kSecondOpinionMax = 20'000;

// What earlier passes learnt.
struct Knowledge {
  absl::flat_hash_map<OperationId, Operation> operations;              // added before all others
  absl::flat_hash_map<OperationKey, std::vector<Operation>> attempts;  // keys of several operations
  absl::flat_hash_set<OperationKey> collected;  // of these `attempts` holds all
};

class HistoryJudge {
 public:
  HistoryJudge(const JudgeOptions& options, Judgement* judgement)
      : options_(options), judgement_(*judgement) {}

  absl::Status Run() {
    if (absl::Status status = PassUntilSettled(); !status.ok()) return status;
    return Conclude();
  }

 private:
  absl::Status Pass(bool* again);
  void Prepare();
  void Take(const Operation& op, bool* again);
  void Feed(const Operation& op, bool* again);
  void Count(const Operation& op);
  absl::Status Conclude();
  absl::Status ReadDigests();
  absl::Status Confirm(std::optional<Violation>* violation, bool* certain);
  absl::Status Explain(Violation* violation);
  absl::Status ForEachEffect(const std::function<void(const Operation&)>& take);
  absl::Status RunSearch(size_t operations_max, bool positions, SearchResult* result);
  absl::Status PassUntilSettled();
  absl::Status JudgeByCertificate();
  absl::Status JudgeBySearch();
  void ReportSearch(const SearchResult& search);
  absl::StatusOr<Standing> StandingByCounting();

  const JudgeOptions& options_;
  Judgement& judgement_;
  Knowledge knowledge_;
  HistoryReader::Initial initial_;
  std::vector<Digest> digests_;
  std::vector<Violation> key_violations_;
  uint64_t indexless_ = 0;
  uint64_t freshness_unknown_ = 0;  // of reads that had to see a position, and name none
  uint64_t indexed_ = 0;
  bool order_only_ = false;
  uint32_t only_account_ = kNoAccount;  // judge this one only

  // Of the pass that runs.
  std::unique_ptr<HistoryReader> reader_;
  std::unique_ptr<Certificate> certificate_;
  KeyBook keys_;
  absl::flat_hash_map<OperationId, OperationKey> given_up_;
  bool window_full_ = false;
};

void HistoryJudge::Count(const Operation& op) {
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
void HistoryJudge::Prepare() {
  judgement_.counts = {};
  judgement_.operations = 0;
  indexless_ = 0;
  freshness_unknown_ = 0;
  indexed_ = 0;
  keys_ = {};
  given_up_.clear();
  window_full_ = false;
  key_violations_.clear();
  initial_ = reader_->initial();
  Certificate::Options options;
  options.foreign_writers = options_.foreign_writers;
  options.only_account = only_account_;
  options.order_only = order_only_;
  certificate_ = std::make_unique<Certificate>(initial_, &judgement_.names, options);
  bool again = false;
  for (const auto& [id, op] : knowledge_.operations) Feed(op, &again);
  for (const auto& [key, attempts] : knowledge_.attempts) {
    if (!knowledge_.collected.contains(key)) continue;
    MergedAttempts merged = MergeAttempts(attempts);
    for (const Operation& op : merged.answered) Feed(op, &again);
    for (const Operation& op : merged.unknown) Feed(op, &again);
    for (Violation& violation : merged.violations) {
      key_violations_.push_back(std::move(violation));
    }
  }
}

void HistoryJudge::Feed(const Operation& op, bool* again) {
  if (op.is_unknown()) {
    certificate_->AddUnknown(op);
  } else if (op.is_read() || op.is_positioned()) {
    if (!op.has_index) {
      ++indexless_;
      if (op.freshness == Freshness::kAtLeast && op.minimum_index > 0) ++freshness_unknown_;
      return;
    }
    ++indexed_;
    if (!certificate_->Add(op)) {
      knowledge_.operations[{op.process, op.id}] = op;
      *again = true;
    }
  }
}

void HistoryJudge::Take(const Operation& op, bool* again) {
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

absl::Status HistoryJudge::Pass(bool* again) {
  *again = false;
  reader_ = std::make_unique<HistoryReader>(options_.histories, &judgement_.names);
  reader_->Disregard(&knowledge_.operations);
  if (absl::Status opened = reader_->Open(); !opened.ok()) return opened;
  Prepare();
  std::vector<OperationKey> collecting;
  for (const auto& [key, attempts] : knowledge_.attempts) {
    if (!knowledge_.collected.contains(key)) collecting.push_back(key);
  }
  Operation op;
  while (reader_->Next(&op)) {
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

absl::Status HistoryJudge::ReadDigests() {
  digests_ = reader_->digests();
  if (options_.digests.empty()) return absl::OkStatus();
  HistoryReader reader(options_.digests, &judgement_.names);
  if (absl::Status opened = reader.Open(); !opened.ok()) return opened;
  Operation op;
  if (reader.Next(&op)) {
    return absl::InvalidArgumentError("a file given with --digests holds operations");
  }
  if (!reader.status().ok()) return reader.status();
  digests_.insert(digests_.end(), reader.digests().begin(), reader.digests().end());
  if (reader.digests().empty()) {
    return absl::InvalidArgumentError("the files given with --digests hold no digest");
  }
  return absl::OkStatus();
}

absl::Status HistoryJudge::PassUntilSettled() {
  const uint64_t most = judgement_.passes + kPassesMax;
  for (bool again = true; again;) {
    if (absl::Status status = Pass(&again); !status.ok()) return status;
    if (++judgement_.passes > most) {
      return absl::InternalError("the history cannot be brought into order");
    }
  }
  return absl::OkStatus();
}

absl::Status HistoryJudge::Conclude() {
  if (judgement_.lines == 0) {
    return absl::InvalidArgumentError(options_.histories.front() + ": no line of a history");
  }
  judgement_.notes = reader_->notes();
  if (!initial_.given) {
    judgement_.notes.push_back(
        "no initial balances: what an account held is taken from its first answer");
  }
  if (absl::Status status = ReadDigests(); !status.ok()) return status;
  std::set<uint64_t> branches;
  for (const Digest& digest : digests_) branches.insert(digest.branch);
  judgement_.branches = branches.size();

  judgement_.violations = key_violations_;
  std::optional<Standing> standing;
  if (indexless_ == 0) {
    certificate_->Finish();
    if (!certificate_->violation()) standing = certificate_->standing();
    if (absl::Status status = JudgeByCertificate(); !status.ok()) return status;
  } else {
    if (absl::Status status = JudgeBySearch(); !status.ok()) return status;
    if (!digests_.empty() && judgement_.operations <= kSearchedMax) {
      absl::StatusOr<Standing> counted = StandingByCounting();
      if (!counted.ok()) return counted.status();
      standing = *std::move(counted);
    }
  }
  DigestCheck check = CheckDigests(digests_, standing ? &*standing : nullptr);
  std::move(check.violations.begin(), check.violations.end(),
            std::back_inserter(judgement_.violations));
  std::move(check.notes.begin(), check.notes.end(), std::back_inserter(judgement_.notes));
  if (judgement_.undecided_because.empty()) {
    judgement_.undecided_because = std::move(check.undecided_because);
  }
  for (Violation& violation : judgement_.violations) {
    if (absl::Status status = Explain(&violation); !status.ok()) return status;
  }
  if (!judgement_.violations.empty()) judgement_.undecided_because.clear();
  judgement_.verdict = !judgement_.violations.empty()         ? Verdict::kInconsistent
                       : judgement_.undecided_because.empty() ? Verdict::kConsistent
                                                              : Verdict::kUndecided;
  return absl::OkStatus();
}

// All answers have a position.
absl::Status HistoryJudge::JudgeByCertificate() {
  judgement_.method = "certificate";
  judgement_.last_index = certificate_->last_index();
  judgement_.unheld_positions = certificate_->unheld_positions();
  judgement_.placed = certificate_->placed();
  judgement_.window_peak = certificate_->window_peak();
  std::optional<Violation> violation = certificate_->violation();
  if (!violation) return absl::OkStatus();
  judgement_.method = "certificate, then search";
  SearchResult search;
  if (certificate_->inexact()) {
    bool certain = false;
    if (absl::Status status = Confirm(&violation, &certain); !status.ok()) return status;
    if (!certain) {
      if (absl::Status s = RunSearch(kSearchedMax, true, &search); !s.ok()) return s;
      if (search.answer == SearchAnswer::kViolation) ReportSearch(search);
      if (search.answer == SearchAnswer::kUnknown) {
        judgement_.undecided_because = "operations of unknown outcome may explain what was found";
      }
      return absl::OkStatus();
    }
  }
  judgement_.violations.push_back(*violation);
  if (absl::Status s = RunSearch(kSecondOpinionMax, false, &search); !s.ok()) return s;
  if (search.answer == SearchAnswer::kLinearizable) {
    judgement_.notes.push_back("without their positions the answers are linearizable");
  }
  return absl::OkStatus();
}

// Some answers, or all, have no position.
absl::Status HistoryJudge::JudgeBySearch() {
  judgement_.method = "search";
  judgement_.notes.push_back(
      fmt::format("{} answers have no position in the bank's order", indexless_));
  const bool positions = indexed_ != 0;
  if (positions) {
    order_only_ = true;
    if (absl::Status status = PassUntilSettled(); !status.ok()) return status;
    certificate_->Finish();
    judgement_.last_index = certificate_->last_index();
    if (certificate_->violation()) {
      judgement_.violations.push_back(*certificate_->violation());
      return absl::OkStatus();
    }
  }
  if (options_.foreign_writers) {
    judgement_.undecided_because = "positions are needed when others wrote too";
    return absl::OkStatus();
  }
  SearchResult search;
  if (absl::Status s = RunSearch(kSearchedMax, positions, &search); !s.ok()) return s;
  if (search.answer == SearchAnswer::kViolation) ReportSearch(search);
  if (search.answer == SearchAnswer::kUnknown) {
    judgement_.undecided_because =
        search.lacks_room ? "an order was found, but not where all of it took a position"
                          : "the search came to the end of its budget";
  }
  if (freshness_unknown_ != 0 && judgement_.undecided_because.empty()) {
    judgement_.undecided_because = fmt::format(
        "{} reads that had to see a position do not tell which one they saw", freshness_unknown_);
  }
  return absl::OkStatus();
}

void HistoryJudge::ReportSearch(const SearchResult& search) {
  Violation violation;
  violation.kind = ViolationKind::kSearch;
  violation.why = "no order of these operations explains their answers";
  violation.operations = search.culprits;
  judgement_.violations.push_back(std::move(violation));
}

// What the operations add up to, whatever their order was.
absl::StatusOr<Standing> HistoryJudge::StandingByCounting() {
  Standing standing;
  standing.total_known = initial_.given && !options_.foreign_writers;
  standing.index_newest = judgement_.last_index;
  Wide total = 0;
  std::set<uint32_t> accounts;
  for (const auto& [account, balance] : initial_.balances) {
    total += balance;
    accounts.insert(account);
  }
  std::set<uint32_t> used;
  const absl::Status status = ForEachEffect([&](const Operation& op) {
    if (op.is_positioned()) ++standing.positions;
    if (op.is_unknown()) standing.unknown.push_back({op});
    if (!op.took_effect()) return;
    if (op.kind == OpKind::kOpen) accounts.insert(op.account);
    used.insert(op.account);
    if (op.to != kNoAccount) used.insert(op.to);
    if (op.kind == OpKind::kOpen || op.kind == OpKind::kDeposit) total += op.amount;
    if (op.kind == OpKind::kWithdraw) total -= op.amount;
  });
  if (!status.ok()) return status;
  for (uint32_t account : used) {
    if (!accounts.contains(account)) standing.total_known = false;
  }
  standing.sums = {total};
  standing.accounts = accounts.size();
  return standing;
}

// The certificate failed, but did not try everything the unknown operations may have done. Judges
// each account of the violation alone: what is wrong there is wrong for certain.
absl::Status HistoryJudge::Confirm(std::optional<Violation>* violation, bool* certain) {
  std::set<uint32_t> accounts;
  for (const Operation& op : (*violation)->operations) {
    accounts.insert(op.account);
    if (op.to != kNoAccount) accounts.insert(op.to);
  }
  for (uint32_t account : accounts) {
    only_account_ = account;
    if (absl::Status status = PassUntilSettled(); !status.ok()) return status;
    certificate_->Finish();
    if (certificate_->violation() && !certificate_->inexact()) {
      *violation = certificate_->violation();
      *certain = true;
      return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

// Reads the stretch of the history around a wrong answer and finds the smallest set that shows it.
absl::Status HistoryJudge::Explain(Violation* violation) {
  if (violation->kind != ViolationKind::kBalance) return absl::OkStatus();
  const Operation wrong = violation->operations.back();
  std::vector<Operation> around;
  std::set<uint64_t> held;
  const auto concerns = [&](const Operation& op) {
    return op.account == wrong.account || op.to == wrong.account ||
           (wrong.to != kNoAccount && (op.account == wrong.to || op.to == wrong.to));
  };
  const auto consider = [&](const Operation& op) {
    if (op.is_positioned() || op.is_read()) {
      if (!op.has_index || op.index < violation->first_index || op.index > violation->last_index) {
        return;
      }
      if (op.is_positioned()) held.insert(op.index);
      if (concerns(op) && !StandsBefore(wrong, op)) around.push_back(op);
    } else if (violation->has_missing && op.is_write() && concerns(op)) {
      const bool lacks =
          (op.kind == OpKind::kDeposit && op.amount == violation->missing) ||
          (op.kind == OpKind::kWithdraw && -static_cast<Wide>(op.amount) == violation->missing);
      if (lacks && violation->hints.size() < 3) {
        violation->hints.push_back("would fit if this had taken effect: " +
                                   Describe(op, judgement_.names));
      }
    }
  };
  if (absl::Status status = ForEachEffect(consider); !status.ok()) return status;
  std::sort(around.begin(), around.end(), StandsBefore);
  const Contradiction contradiction(around, initial_, &judgement_.names,
                                    violation->first_index == 0);
  const auto shows = [&](const std::vector<Operation>& some) { return contradiction.Shows(some); };
  if (shows(around)) violation->operations = Minimize(around, shows, kPairsOf);
  const uint64_t first = violation->operations.front().index;
  const uint64_t last = violation->operations.back().index;
  uint64_t missing = 0;
  for (uint64_t index = first + 1; index < last && missing < 1000; ++index) {
    if (!held.contains(index)) ++missing;
  }
  if (missing != 0) {
    violation->hints.push_back(
        fmt::format("{}{} positions between {} and {} are held by no recorded operation",
                    missing == 1000 ? "more than " : "", missing, first, last));
  }
  return absl::OkStatus();
}

// All operations once more: attempts with one key as one, and those resolved later as such.
absl::Status HistoryJudge::ForEachEffect(const std::function<void(const Operation&)>& take) {
  HistoryReader reader(options_.histories, &judgement_.names);
  if (absl::Status opened = reader.Open(); !opened.ok()) return opened;
  Operation op;
  while (reader.Next(&op)) {
    if (op.is_write() && op.has_key() && knowledge_.attempts.contains({op.session, op.sequence})) {
      continue;
    }
    const auto known = knowledge_.operations.find({op.process, op.id});
    if (known != knowledge_.operations.end() && known->second.fate != op.fate) continue;
    take(op);
  }
  if (!reader.status().ok()) return reader.status();
  for (const auto& [key, attempts] : knowledge_.attempts) {
    const MergedAttempts merged = MergeAttempts(attempts);
    for (const Operation& each : merged.answered) take(each);
    for (const Operation& each : merged.unknown) take(each);
  }
  return absl::OkStatus();
}

absl::Status HistoryJudge::RunSearch(size_t operations_max, bool positions, SearchResult* result) {
  *result = {};
  if (judgement_.operations > operations_max || options_.foreign_writers) return absl::OkStatus();
  std::vector<Operation> operations;
  absl::Status status = ForEachEffect([&](const Operation& op) { operations.push_back(op); });
  if (!status.ok()) return status;
  SearchOptions options;
  options.budget_ms = options_.budget_ms;
  options.positions = positions;
  *result = Search(operations, initial_, judgement_.names, options);
  judgement_.searched_states += result->states;
  return absl::OkStatus();
}

}  // namespace

std::string_view VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kConsistent:
      return "consistent";
    case Verdict::kInconsistent:
      return "inconsistent";
    case Verdict::kUndecided:
      return "undecided";
  }
  return "?";
}

absl::StatusOr<Judgement> JudgeHistory(const JudgeOptions& options) {
  Judgement judgement;
  if (absl::Status status = HistoryJudge(options, &judgement).Run(); !status.ok()) return status;
  return judgement;
}

}  // namespace bank::checker
