#include "checker/timeline.h"

#include <algorithm>
#include <limits>
#include <set>

#include "checker/history/history_reader.h"
#include "checker/timeline_page.h"
#include "common/one_line.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bank::checker {
namespace {

// How far around the violation the first cut goes, as a multiple of its own length.
constexpr int64_t kMargin = 4;
constexpr int64_t kMarginMinNs = 50'000'000;

// JSON that may stand inside a script element.
std::string Embed(const nlohmann::ordered_json& value) {
  std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  std::string safe;
  for (char c : text) {
    if (c == '<') {
      safe += "\\u003c";
    } else {
      safe += c;
    }
  }
  return safe;
}

// One bar of the page, in words.
struct Row {
  uint64_t process = 0;
  uint64_t id = 0;
  std::string op;
  std::string account;
  std::string to;
  std::string amount;
  Fate fate = Fate::kInfo;
  std::string answer;
  std::string balance;
  std::string index;
  int64_t start_ns = 0;
  int64_t end_ns = kNever;
  bool is_culprit = false;
};

nlohmann::ordered_json About(const Judgement& judgement, uint64_t left_out) {
  nlohmann::ordered_json data;
  data["verdict"] = VerdictName(judgement.verdict);
  data["method"] = judgement.method;
  data["because"] = judgement.undecided_because;
  data["operations"] = judgement.operations;
  data["left_out"] = left_out;
  data["violations"] = nlohmann::ordered_json::array();
  for (const Violation& violation : judgement.violations) {
    nlohmann::ordered_json item;
    item["kind"] = ViolationKindName(violation.kind);
    item["why"] = violation.why;
    item["hints"] = violation.hints;
    data["violations"].push_back(std::move(item));
  }
  return data;
}

std::string Page(nlohmann::ordered_json data, std::vector<Row> rows) {
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::tie(a.start_ns, a.process, a.id) < std::tie(b.start_ns, b.process, b.id);
  });
  const int64_t zero = rows.empty() ? 0 : rows.front().start_ns;
  // [process, id, op, account, to, amount, fate, answer, balance, index, start us, end us, culprit]
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Row& row : rows) {
    const char* fate = row.fate == Fate::kOk ? "ok" : row.fate == Fate::kFail ? "fail" : "info";
    nlohmann::ordered_json end = nullptr;
    if (row.end_ns != kNever) end = static_cast<double>(row.end_ns - zero) / 1e3;
    list.push_back({row.process, row.id, row.op, row.account, row.to, row.amount, fate, row.answer,
                    row.balance, row.index, static_cast<double>(row.start_ns - zero) / 1e3, end,
                    row.is_culprit ? 1 : 0});
  }
  data["rows"] = std::move(list);
  return std::string(kTimelineHead) + Embed(data) + std::string(kTimelineTail);
}

int64_t MiddleOf(const std::vector<Violation>& violations) {
  for (const Violation& violation : violations) {
    if (!violation.operations.empty()) return violation.operations.back().invoke_ns;
  }
  return std::numeric_limits<int64_t>::min();
}

}  // namespace

TimelineWindow::TimelineWindow(const Judgement& judgement)
    : judgement_(judgement),
      from_ns_(std::numeric_limits<int64_t>::min()),
      to_ns_(std::numeric_limits<int64_t>::max()) {
  int64_t first = kNever;
  int64_t last = std::numeric_limits<int64_t>::min();
  for (const Violation& violation : judgement.violations) {
    for (const Operation& op : violation.operations) {
      first = std::min(first, op.invoke_ns);
      last = std::max(last, op.return_ns == kNever ? op.invoke_ns : op.return_ns);
    }
    if (first != kNever) break;  // the first violation that has operations
  }
  if (first == kNever) return;
  const int64_t margin = std::max(kMarginMinNs, (last - first) * kMargin);
  from_ns_ = first - margin;
  to_ns_ = last + margin;
}

void TimelineWindow::Take(const Operation& op) {
  if (op.return_ns < from_ns_ || op.invoke_ns > to_ns_) {
    ++left_out_;
    return;
  }
  operations_.push_back(op);
  if (operations_.size() < 2 * kTimelineOperationsMax) return;
  // Too many: keep the nearest to the violation, or the earliest.
  const int64_t middle = MiddleOf(judgement_.violations);
  const auto distance = [&](const Operation& o) {
    if (middle == std::numeric_limits<int64_t>::min()) return o.invoke_ns;
    return o.invoke_ns < middle ? middle - o.invoke_ns : o.invoke_ns - middle;
  };
  std::nth_element(
      operations_.begin(), operations_.begin() + kTimelineOperationsMax, operations_.end(),
      [&](const Operation& a, const Operation& b) { return distance(a) < distance(b); });
  left_out_ += operations_.size() - kTimelineOperationsMax;
  operations_.resize(kTimelineOperationsMax);
}

std::string TimelineWindow::Html() const {
  nlohmann::ordered_json data = About(judgement_, left_out_);
  std::set<std::pair<uint64_t, uint64_t>> culprits;
  for (const Violation& violation : judgement_.violations) {
    for (const Operation& op : violation.operations) culprits.emplace(op.process, op.id);
  }
  std::vector<Row> rows;
  for (const Operation& op : operations_) {
    Row row;
    row.process = op.process;
    row.id = op.id;
    row.op = OpKindName(op.kind);
    row.account = ShownName(judgement_.names.name(op.account));
    if (op.to != kNoAccount) row.to = ShownName(judgement_.names.name(op.to));
    if (op.is_write()) row.amount = std::to_string(op.amount);
    row.fate = op.fate;
    if (op.fate == Fate::kOk) row.answer = AnswerName(op.answer);
    if (op.has_balance) row.balance = std::to_string(op.balance);
    if (op.has_index) row.index = std::to_string(op.index);
    row.start_ns = op.invoke_ns;
    row.end_ns = op.return_ns;
    row.is_culprit = culprits.contains({op.process, op.id});
    rows.push_back(std::move(row));
  }
  return Page(std::move(data), std::move(rows));
}

absl::StatusOr<std::string> JepsenTimeline(const JepsenJudgement& judged) {
  const std::vector<JepsenOperation>& operations = judged.operations;
  const bool timed = std::all_of(operations.begin(), operations.end(),
                                 [](const auto& op) { return op.has_time || op.over == kNever; });
  const std::set<size_t> culprits(judged.culprits.begin(), judged.culprits.end());
  // Of a long history, what lies around the violation, or the first part.
  size_t from = 0;
  if (!culprits.empty()) {
    from = *culprits.begin() - std::min(*culprits.begin(), kTimelineOperationsMax / 2);
  }
  const size_t to = std::min(operations.size(), from + kTimelineOperationsMax);
  std::vector<Row> rows;
  for (size_t i = from; i < to; ++i) {
    const JepsenOperation& op = operations[i];
    using Function = JepsenOperation::Function;
    Row row;
    row.process = static_cast<uint64_t>(op.process);
    row.id = static_cast<uint64_t>(op.invoke);
    row.fate = op.fate;
    row.account = OneLine(op.key);
    if (op.fate == Fate::kOk) row.answer = "ok";
    switch (op.function) {
      case Function::kTransfer:
        row.op = "transfer";
        row.account = OneLine(op.first);
        row.to = OneLine(op.second);
        row.amount = std::to_string(op.amount);
        break;
      case Function::kWrite:
        row.op = "write";
        row.amount = OneLine(op.first);
        break;
      case Function::kCas:
        row.op = "cas";
        row.amount = OneLine(op.first) + " to " + OneLine(op.second);
        break;
      default:
        row.op = "read";
        row.balance = op.fate == Fate::kOk ? OneLine(op.Answer()) : "";
        break;
    }
    row.start_ns = timed ? op.invoke_ns : op.invoke * 1000;
    row.end_ns = op.over == kNever ? kNever : timed ? op.over_ns : op.over * 1000;
    row.is_culprit = culprits.contains(i);
    rows.push_back(std::move(row));
  }
  nlohmann::ordered_json data = About(judged, operations.size() - (to - from));
  if (!timed) data["unit"] = "event";
  return Page(std::move(data), std::move(rows));
}

absl::StatusOr<std::string> Timeline(const Judgement& judgement) {
  // The accounts are met in the same order as before, so their numbers are the judgement's.
  AccountNames names = judgement.names;
  HistoryReader reader(judgement.inputs, &names);
  if (absl::Status opened = reader.Open(); !opened.ok()) return opened;
  TimelineWindow window(judgement);
  Operation op;
  while (reader.Next(&op)) window.Take(op);
  if (!reader.status().ok()) return reader.status();
  return window.Html();
}

}  // namespace bank::checker
