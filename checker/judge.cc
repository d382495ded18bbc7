#include "checker/judge.h"

#include <algorithm>
#include <optional>
#include <set>

#include "checker/certificate/certificate.h"
#include "checker/certificate/digests.h"
#include "checker/certificate/placement.h"
#include "checker/counted_end.h"
#include "checker/counter_example.h"
#include "checker/explanation.h"
#include "checker/history_passes.h"
#include "checker/search/search.h"
#include "fmt/format.h"

namespace bank::checker {
namespace {

// So many operations are loaded for a search; each takes about 120 bytes.
constexpr size_t kSearchedMax = 4'000'000;
constexpr size_t kSecondOpinionMax = 2'000;
constexpr size_t kCompletedMax = 20'000;
constexpr int64_t kAloneBudgetMs = 200;
constexpr std::chrono::seconds kWholeTime{1};
constexpr std::chrono::seconds kCompletingTime{3};
constexpr const char* kBudgetEnded = "the budget of CPU time ended before the verdict";

bool IsOver(const absl::Status& status) { return absl::IsDeadlineExceeded(status); }

class HistoryJudge {
 public:
  // `judgement` has the histories.
  HistoryJudge(const JudgeOptions& options, InputFiles digests, Judgement* judgement)
      : options_(options),
        judgement_(*judgement),
        budget_(Budget::OfMs(*options.cpu_clock, options.budget_ms)),
        passes_(options, budget_, judgement),
        digest_inputs_(std::move(digests)) {}

  absl::Status Run() {
    if (absl::Status status = passes_.Settle({}); !status.ok()) {
      if (!IsOver(status)) return status;
      judgement_.method = "certificate";
      judgement_.undecided_because = kBudgetEnded;
      return absl::OkStatus();
    }
    return Conclude();
  }

 private:
  absl::Status Conclude();
  absl::Status ReadDigests();
  absl::Status CompleteViolations();
  bool IsWrong(const std::string& text) const;
  absl::Status RunSearch(size_t operations_max, bool positions, SearchResult* result);
  absl::Status RunSearch(size_t operations_max, SearchOptions options, SearchResult* result);
  void JudgeAsAWhole();
  bool HasOthers() const;
  absl::Status Certify();
  absl::Status JudgeByCertificate(std::optional<ExpectedState>* expected_state);
  absl::Status PlaceUnknown();
  absl::StatusOr<bool> Holds(const std::vector<Operation>& placed);
  absl::StatusOr<ExpectedState::May> MayEndByPlacing(const Digest& digest);
  absl::Status JudgeBySearch();
  void ReportSearch(const SearchResult& search);
  Certificate& certificate() { return passes_.certificate(); }

  const JudgeOptions& options_;
  Judgement& judgement_;
  const Budget budget_;
  HistoryPasses passes_;
  InputFiles digest_inputs_;
  std::vector<Digest> digests_;
  std::optional<PlacementProblem> problem_;
  std::optional<Placement> placement_;
  std::optional<CountedEnd> counted_end_;
  Wide taken_ = 0;  // what unknown operations added to all balances in the order that was found
};

absl::Status HistoryJudge::ReadDigests() {
  digests_ = passes_.digests();
  if (options_.digests.empty()) return absl::OkStatus();
  HistoryReader reader(digest_inputs_, &judgement_.names);
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

absl::Status HistoryJudge::Conclude() {
  if (judgement_.lines == 0) {
    return absl::InvalidArgumentError(judgement_.inputs.front()->path() + ": no line of a history");
  }
  judgement_.notes = passes_.notes();
  if (!passes_.initial().given) {
    judgement_.notes.push_back(
        "no initial balances: what an account held is taken from its first answer");
  }
  if (absl::Status status = ReadDigests(); !status.ok()) return status;
  std::set<uint64_t> branches;
  for (const Digest& digest : digests_) branches.insert(digest.branch);
  judgement_.branches = branches.size();

  judgement_.violations = passes_.key_violations();
  std::optional<ExpectedState> expected_state;
  if (passes_.indexless() == 0) {
    if (absl::Status status = JudgeByCertificate(&expected_state); !status.ok()) {
      if (!IsOver(status)) return status;
      judgement_.undecided_because = kBudgetEnded;
    }
  } else {
    if (absl::Status status = JudgeBySearch(); !status.ok()) return status;
    if (!digests_.empty() && judgement_.operations <= kSearchedMax) {
      CountedEnd::Options options{HasOthers(), options_.foreign_writers, taken_};
      counted_end_.emplace(judgement_.names, options, budget_, &passes_);
      absl::StatusOr<ExpectedState> counted = counted_end_->Count(judgement_.last_index);
      if (counted.ok()) {
        expected_state = *std::move(counted);
      } else if (!IsOver(counted.status())) {
        return counted.status();
      } else if (judgement_.undecided_because.empty()) {
        judgement_.undecided_because = kBudgetEnded;
      }
    }
  }
  DigestCheck check = CheckDigests(digests_, expected_state ? &*expected_state : nullptr);
  std::move(check.violations.begin(), check.violations.end(),
            std::back_inserter(judgement_.violations));
  std::move(check.notes.begin(), check.notes.end(), std::back_inserter(judgement_.notes));
  if (judgement_.undecided_because.empty()) {
    judgement_.undecided_because = std::move(check.undecided_because);
  }
  JudgeAsAWhole();
  for (Violation& violation : judgement_.violations) {
    absl::Status status =
        options_.explains ? Explain(judgement_.names, &passes_, &violation) : absl::OkStatus();
    if (!status.ok() && !IsOver(status)) return status;
  }
  if (options_.explains && !judgement_.violations.empty()) {
    absl::Status status = CompleteViolations();
    if (!status.ok() && !IsOver(status)) return status;
  }
  if (!judgement_.violations.empty()) judgement_.undecided_because.clear();
  judgement_.verdict = !judgement_.violations.empty()         ? Verdict::kInconsistent
                       : judgement_.undecided_because.empty() ? Verdict::kConsistent
                                                              : Verdict::kUndecided;
  return absl::OkStatus();
}

// Whether a branch counts more accounts than the history names.
bool HistoryJudge::HasOthers() const {
  const auto named = static_cast<int64_t>(judgement_.names.size());
  return std::any_of(digests_.begin(), digests_.end(),
                     [&](const Digest& digest) { return digest.accounts > named; });
}

// Finishes the certificate, after further passes if what it found out asks for them.
absl::Status HistoryJudge::Certify() {
  uint64_t last_index = 0;
  for (const Digest& digest : digests_) last_index = std::max(last_index, digest.log_index);
  certificate().Finish(last_index);
  HistoryPasses::Focus focus;
  const bool may_be_others = judgement_.names.size() > passes_.initial().balances.size();
  focus.has_others =
      passes_.initial().given && (HasOthers() || certificate().has_strangers() ||
                                  (certificate().rests_on_limits() && may_be_others));
  focus.keep_all = certificate().needs_all();
  if (!focus.has_others && !focus.keep_all) return absl::OkStatus();
  if (absl::Status status = passes_.Settle(focus); !status.ok()) return status;
  certificate().Finish(last_index);
  return absl::OkStatus();
}

// All answers have a position.
absl::Status HistoryJudge::JudgeByCertificate(std::optional<ExpectedState>* expected_state) {
  judgement_.method = "certificate";
  if (absl::Status status = Certify(); !status.ok()) return status;
  judgement_.last_index = certificate().last_index();
  judgement_.unheld_positions = certificate().unheld_positions();
  judgement_.window_peak = certificate().window_peak();
  std::optional<Violation> violation = certificate().violation();
  if (!violation) {
    *expected_state = certificate().expected_state();
    const bool needs_unknown = certificate().needs_unknown();
    if (needs_unknown || !digests_.empty()) {
      problem_ = certificate().TakeProblem();
      if (problem_) placement_.emplace(*problem_, judgement_.names, budget_.Share(4, 5));
    }
    if (needs_unknown) {
      if (absl::Status status = PlaceUnknown(); !status.ok()) return status;
      if (judgement_.violations.empty()) {
        // Another placing might do without some of the accounts that this one is about.
        const Wide accounts = (*expected_state)->end.accounts.low;
        *expected_state = certificate().expected_state();
        (*expected_state)->end.accounts.low = accounts;
      }
    }
    if (problem_ && !problem_->unknown.empty()) {
      (*expected_state)->may_end = [this](const Digest& digest) {
        const absl::StatusOr<ExpectedState::May> may = MayEndByPlacing(digest);
        return may.ok() ? *may : ExpectedState::May::kUnknown;
      };
    }
    return absl::OkStatus();
  }
  judgement_.violations.push_back(*violation);
  SearchResult search;
  if (absl::Status s = RunSearch(kSecondOpinionMax, false, &search); !s.ok()) return s;
  judgement_.method = "certificate, then search";
  if (search.answer == SearchAnswer::kLinearizable) {
    judgement_.notes.push_back("without their positions the answers are linearizable");
  }
  return absl::OkStatus();
}

// Some answers are wrong unless operations of unknown outcome happened.
absl::Status HistoryJudge::PlaceUnknown() {
  const auto answer = placement_ ? placement_->Find({}) : Placement::Answer::kUnknown;
  if (answer == Placement::Answer::kNone) {
    const PlacementFailure failure = placement_->failure();
    judgement_.violations.push_back(certificate().Unexplained(problem_->events[failure.event].op,
                                                              failure.state, failure.since));
    return absl::OkStatus();
  }
  if (answer == Placement::Answer::kFound) {
    const std::vector<Operation> placed = placement_->Placed();
    judgement_.placed = placed.size();
    const absl::StatusOr<bool> holds = Holds(placed);
    if (!holds.ok()) return holds.status();
    if (*holds) return absl::OkStatus();
  } else {
    judgement_.method = "certificate, then search";
    SearchResult search;
    if (absl::Status s = RunSearch(kSecondOpinionMax, true, &search); !s.ok()) return s;
    if (search.answer == SearchAnswer::kViolation) ReportSearch(search);
    if (search.answer != SearchAnswer::kUnknown) return absl::OkStatus();
  }
  judgement_.undecided_because = "operations of unknown outcome may explain what was found";
  return absl::OkStatus();
}

// Replays the history with these operations, and no other unknown ones.
absl::StatusOr<bool> HistoryJudge::Holds(const std::vector<Operation>& placed) {
  if (absl::Status status = passes_.Settle({.placed = &placed}); !status.ok()) return status;
  certificate().Finish(0);
  return !certificate().violation();
}

absl::StatusOr<ExpectedState::May> HistoryJudge::MayEndByPlacing(const Digest& digest) {
  // Out of reach, whatever happened. Some of the unknown operations may be counted already.
  Wide most = 0;
  Wide least = 0;
  // What was told of an account that the header does not name hides what moved before.
  const bool hides = judgement_.names.size() != passes_.initial().balances.size();
  for (const Operation& op : problem_->unknown) {
    const Wide by = op.kind == OpKind::kTransfer && !hides ? 0 : std::max<int64_t>(op.amount, 0);
    if (hides || op.kind != OpKind::kWithdraw) most += by;
    if (hides || op.kind == OpKind::kWithdraw) least -= by;
  }
  const Bounds counted = certificate().expected_state().end.all;
  const Wide total = digest.balance_total;
  if (total > counted.high + most - least || total < counted.low + least - most)
    return ExpectedState::May::kNo;
  const Placement::Answer answer = placement_->Find(total);
  if (answer == Placement::Answer::kNone) return ExpectedState::May::kNo;
  if (answer == Placement::Answer::kUnknown) return ExpectedState::May::kUnknown;
  const std::vector<Operation> placed = placement_->Placed();
  const absl::StatusOr<bool> holds = Holds(placed);
  if (!holds.ok()) return holds.status();
  if (!*holds || FitOf(digest, certificate().expected_state().end) != Fit::kFits) {
    return ExpectedState::May::kUnknown;
  }
  judgement_.placed = placed.size();
  return ExpectedState::May::kYes;
}

// Some answers, or all, have no position.
absl::Status HistoryJudge::JudgeBySearch() {
  judgement_.method = "search";
  judgement_.notes.push_back(
      fmt::format("{} answers have no position in the bank's order", passes_.indexless()));
  const bool positions = passes_.indexed() != 0;
  if (positions) {
    if (absl::Status status = passes_.Settle({.order_only = true}); !status.ok()) {
      if (!IsOver(status)) return status;
      judgement_.undecided_because = kBudgetEnded;
      return absl::OkStatus();
    }
    certificate().Finish(0);
    judgement_.last_index = certificate().last_index();
    if (certificate().violation()) {
      judgement_.violations.push_back(*certificate().violation());
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
  taken_ = search.taken;
  if (search.answer == SearchAnswer::kUnknown) {
    judgement_.undecided_because =
        search.lacks_room ? "an order was found, but not where all of it took a position"
                          : "the search came to the end of its budget";
  }
  return absl::OkStatus();
}

// What was found so far is right as far as it goes. Where accounts are named that the header does
// not know, or something was left undecided, small histories are searched once more for an order
// that explains all at once, what branches say included.
void HistoryJudge::JudgeAsAWhole() {
  const bool is_exact = judgement_.undecided_because.empty() && passes_.initial().given &&
                        judgement_.names.size() == passes_.initial().balances.size();
  if (is_exact || !judgement_.violations.empty()) return;
  SearchOptions options;
  options.searching = budget_.AtMost(kWholeTime);
  options.positions = true;
  options.end = digests_.empty() ? nullptr : &digests_.back();
  SearchResult search;
  if (!RunSearch(kSecondOpinionMax, options, &search).ok()) return;
  if (search.answer == SearchAnswer::kUnknown) return;
  judgement_.undecided_because.clear();
  if (search.answer == SearchAnswer::kLinearizable) return;
  if (!search.is_of_end) return ReportSearch(search);
  Violation violation;
  violation.kind = ViolationKind::kTotal;
  violation.why = fmt::format("no order that explains the answers leads to what branch {} says",
                              options.end->branch);
  violation.last_index = options.end->log_index;
  judgement_.violations.push_back(std::move(violation));
}

void HistoryJudge::ReportSearch(const SearchResult& search) {
  Violation violation;
  violation.kind = ViolationKind::kSearch;
  violation.why = "no order of these operations explains their answers";
  violation.operations = search.culprits;
  judgement_.violations.push_back(std::move(violation));
}

// Whether a small history is inconsistent for certain.
bool HistoryJudge::IsWrong(const std::string& text) const {
  JudgeOptions options;
  options.foreign_writers = options_.foreign_writers;
  options.explains = false;
  options.budget_ms = kAloneBudgetMs;
  options.cpu_clock = options_.cpu_clock;
  Judgement alone;
  alone.inputs = {InputFile::OfText("counter-example", text)};
  const absl::Status status = HistoryJudge(options, {}, &alone).Run();
  return status.ok() && alone.verdict == Verdict::kInconsistent;
}

absl::Status HistoryJudge::CompleteViolations() {
  std::vector<Operation> operations;
  if (judgement_.operations <= kCompletedMax) {
    absl::Status status =
        passes_.ForEachEffect([&](const Operation& op) { operations.push_back(op); });
    if (!status.ok()) return status;
  }
  const auto attempts = passes_.attempts();
  const Evidence evidence{passes_.initial(), judgement_.names, digests_, operations, attempts};
  for (Violation& violation : judgement_.violations) {
    Complete(
        evidence, budget_.AtMost(kCompletingTime),
        [this](const std::string& text) { return IsWrong(text); }, &violation);
  }
  return absl::OkStatus();
}

absl::Status HistoryJudge::RunSearch(size_t operations_max, bool positions, SearchResult* result) {
  SearchOptions options;
  options.searching = budget_.Share(4, 5);
  options.positions = positions;
  return RunSearch(operations_max, options, result);
}

absl::Status HistoryJudge::RunSearch(size_t operations_max, SearchOptions options,
                                     SearchResult* result) {
  *result = {};
  if (judgement_.operations > operations_max || options_.foreign_writers) return absl::OkStatus();
  std::vector<Operation> operations;
  absl::Status status =
      passes_.ForEachEffect([&](const Operation& op) { operations.push_back(op); });
  if (!status.ok()) return IsOver(status) ? absl::OkStatus() : status;
  options.minimizing = budget_;
  options.has_others = HasOthers();
  *result = Search(operations, passes_.initial(), judgement_.names, options);
  judgement_.searched_states += result->states;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Judgement> JudgeHistory(const JudgeOptions& options) {
  std::vector<std::string> paths = options.histories;
  paths.insert(paths.end(), options.digests.begin(), options.digests.end());
  absl::StatusOr<InputFiles> inputs = OpenInputs(paths);
  if (!inputs.ok()) return inputs.status();
  Judgement judgement;
  const auto histories = inputs->begin() + std::ssize(options.histories);
  judgement.inputs.assign(inputs->begin(), histories);
  HistoryJudge judge(options, InputFiles(histories, inputs->end()), &judgement);
  if (absl::Status status = judge.Run(); !status.ok()) return status;
  return judgement;
}

}  // namespace bank::checker
