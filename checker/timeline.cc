#include "checker/timeline.h"

#include <algorithm>
#include <limits>
#include <set>

#include "checker/history_reader.h"
#include "checker/timeline_page.h"
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
  nlohmann::ordered_json data;
  data["verdict"] = VerdictName(judgement_.verdict);
  data["method"] = judgement_.method;
  data["because"] = judgement_.undecided_because;
  data["operations"] = judgement_.operations;
  data["left_out"] = left_out_;
  std::set<std::pair<uint64_t, uint64_t>> culprits;
  data["violations"] = nlohmann::ordered_json::array();
  for (const Violation& violation : judgement_.violations) {
    nlohmann::ordered_json item;
    item["kind"] = ViolationKindName(violation.kind);
    item["why"] = violation.why;
    item["hints"] = violation.hints;
    item["operations"] = nlohmann::ordered_json::array();
    for (const Operation& op : violation.operations) {
      culprits.emplace(op.process, op.id);
      item["operations"].push_back({op.process, op.id});
    }
    data["violations"].push_back(std::move(item));
  }
  std::vector<Operation> sorted = operations_;
  std::sort(sorted.begin(), sorted.end(), [](const Operation& a, const Operation& b) {
    return std::tuple(a.invoke_ns, a.process, a.id) < std::tuple(b.invoke_ns, b.process, b.id);
  });
  const int64_t zero = sorted.empty() ? 0 : sorted.front().invoke_ns;
  data["zero_ns"] = std::to_string(zero);
  // [process, id, op, account, to, amount, fate, answer, balance, index, start us, end us, culprit]
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Operation& op : sorted) {
    nlohmann::ordered_json row = nlohmann::ordered_json::array();
    row.push_back(op.process);
    row.push_back(op.id);
    row.push_back(OpKindName(op.kind));
    row.push_back(judgement_.names.name(op.account));
    row.push_back(op.to == kNoAccount ? "" : judgement_.names.name(op.to));
    row.push_back(std::to_string(op.amount));
    row.push_back(op.fate == Fate::kOk ? "ok" : op.fate == Fate::kFail ? "fail" : "info");
    row.push_back(op.fate == Fate::kOk ? AnswerName(op.answer) : "");
    row.push_back(op.has_balance ? std::to_string(op.balance) : "");
    row.push_back(op.has_index ? std::to_string(op.index) : "");
    row.push_back(static_cast<double>(op.invoke_ns - zero) / 1e3);
    if (op.return_ns == kNever) {
      row.push_back(nullptr);
    } else {
      row.push_back(static_cast<double>(op.return_ns - zero) / 1e3);
    }
    row.push_back(culprits.contains({op.process, op.id}) ? 1 : 0);
    rows.push_back(std::move(row));
  }
  data["rows"] = std::move(rows);
  return std::string(kTimelineHead) + Embed(data) + std::string(kTimelineTail);
}

absl::StatusOr<std::string> Timeline(const std::vector<std::string>& histories,
                                     const Judgement& judgement) {
  // The accounts are met in the same order as before, so their numbers are the judgement's.
  AccountNames names = judgement.names;
  HistoryReader reader(histories, &names);
  if (absl::Status opened = reader.Open(); !opened.ok()) return opened;
  TimelineWindow window(judgement);
  Operation op;
  while (reader.Next(&op)) window.Take(op);
  if (!reader.status().ok()) return reader.status();
  return window.Html();
}

}  // namespace bank::checker
