#include "checker/counter_example.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "checker/search/contradiction.h"
#include "nlohmann/json.hpp"

namespace bank::checker {
namespace {

using nlohmann::ordered_json;

constexpr size_t kExamplePairsOf = 12;
constexpr size_t kMinimizedMax = 2'000;  // operations that are looked through for a smaller set
constexpr size_t kDigestsMax = 64;

ordered_json LineOf(const char* type, const Operation& op, const AccountNames& names) {
  ordered_json line = {{"type", type},
                       {"process", op.process},
                       {"id", op.id},
                       {"session", op.session},
                       {"sequence", op.sequence},
                       {"op", OpKindName(op.kind)},
                       {"account", names.name(op.account)}};
  if (op.kind == OpKind::kTransfer) line["to"] = names.name(op.to);
  line["amount"] = op.amount;
  if (op.freshness == Freshness::kLocal) line["consistency"] = "local";
  if (op.freshness == Freshness::kAtLeast) {
    line["consistency"] = "at_least";
    line["minimum"] = op.minimum_index;
  }
  return line;
}

std::string Text(const ordered_json& line) {
  return line.dump(-1, ' ', true, ordered_json::error_handler_t::replace) + "\n";
}

class Completer {
 public:
  Completer(const Evidence& evidence, const Budget& budget,
            const std::function<bool(const std::string&)>& is_wrong, Violation* violation)
      : evidence_(evidence), budget_(budget), is_wrong_(is_wrong), violation_(*violation) {}

  void Run() {
    const bool is_of_digests =
        violation_.kind == ViolationKind::kDigest || violation_.kind == ViolationKind::kTotal;
    if (is_of_digests) AddDigests();
    if (!Shows() && !(AddInitial() && Shows())) {
      if (!Shorten(is_of_digests)) return;
    }
    NameKeys();
  }

 private:
  bool Shows(const Violation& some) const {
    return !budget_.IsOver() && is_wrong_(CounterExample(some, evidence_.names));
  }
  bool Shows() const { return Shows(violation_); }

  bool AddInitial() {
    violation_.has_initial = evidence_.initial.given;
    violation_.initial = evidence_.initial;
    return violation_.has_initial;
  }

  // Only what the operations name, if that is enough.
  void TrimInitial() {
    if (!violation_.has_initial) return;
    std::set<uint32_t> named;
    for (const Operation& op : violation_.operations) named.insert({op.account, op.to});
    Violation less = violation_;
    std::erase_if(less.initial.balances,
                  [&](const auto& entry) { return !named.contains(entry.first); });
    if (Shows(less)) violation_ = std::move(less);
  }

  void AddDigests() {
    std::map<uint64_t, Digest> last;
    for (const Digest& digest : evidence_.digests) {
      if (digest.log_index == violation_.last_index) violation_.digests.push_back(digest);
      last[digest.branch] = digest;
    }
    if (violation_.digests.empty()) {
      for (const auto& [branch, digest] : last) violation_.digests.push_back(digest);
    }
    if (violation_.digests.size() > kDigestsMax) violation_.digests.resize(kDigestsMax);
  }

  // From all operations to a few: what is left out may or may not have happened.
  bool Shorten(bool keeps_all) {
    if (evidence_.operations.empty() || evidence_.operations.size() > kMinimizedMax) return false;
    std::vector<Operation> all;
    for (const Operation& op : evidence_.operations) {
      if (op.is_read() || op.is_positioned()) all.push_back(op);
    }
    std::sort(all.begin(), all.end(), [](const Operation& a, const Operation& b) {
      return std::tie(a.invoke_ns, a.process, a.id) < std::tie(b.invoke_ns, b.process, b.id);
    });
    const auto shows = [&](const std::vector<Operation>& some) {
      std::set<std::pair<uint64_t, uint64_t>> kept;
      for (const Operation& op : some) kept.emplace(op.process, op.id);
      Violation example = violation_;
      example.operations = some;
      for (Operation op : evidence_.operations) {
        const bool happened = op.took_effect() && !kept.contains({op.process, op.id});
        if (!happened && !op.is_unknown()) continue;
        op.fate = Fate::kInfo;
        op.return_ns = kNever;
        example.operations.push_back(op);
      }
      return Shows(example);
    };
    if (!shows(all)) return false;
    violation_.operations = keeps_all && all.size() > kExamplePairsOf * kExamplePairsOf
                                ? all
                                : Minimize(all, shows, kExamplePairsOf);
    const bool has_initial = std::exchange(violation_.has_initial, false);
    if (!Shows()) violation_.has_initial = has_initial;
    return true;
  }

  // Operations that would explain what is wrong, had their keys not been used by others.
  void NameKeys() {
    TrimInitial();
    std::set<std::pair<uint64_t, uint64_t>> shown;
    for (const Operation& op : violation_.operations) shown.emplace(op.process, op.id);
    std::vector<Operation> more;
    for (const std::vector<Operation>& attempts : evidence_.attempts) {
      const auto user = std::find_if(attempts.begin(), attempts.end(),
                                     [](const Operation& op) { return op.is_positioned(); });
      if (user == attempts.end()) continue;
      for (const Operation& op : attempts) {
        if (!op.is_unknown() || op.same_content(*user)) continue;
        Violation free = violation_;
        free.operations.push_back(op);
        free.operations.back().session = 0;
        free.operations.back().return_ns = kNever;
        free.operations.back().fate = Fate::kInfo;
        if (budget_.IsOver() || is_wrong_(CounterExample(free, evidence_.names))) continue;
        for (const Operation& part : {op, *user}) {
          if (shown.emplace(part.process, part.id).second) more.push_back(part);
        }
      }
    }
    if (more.empty()) return;
    Violation complete = violation_;
    complete.operations.insert(complete.operations.begin(), more.begin(), more.end());
    complete.hints.push_back("what is unknown cannot explain it: another operation has its key");
    if (Shows(complete)) violation_ = std::move(complete);
  }

  const Evidence& evidence_;
  const Budget budget_;
  const std::function<bool(const std::string&)>& is_wrong_;
  Violation& violation_;
};

}  // namespace

void Complete(const Evidence& evidence, const Budget& budget,
              const std::function<bool(const std::string& text)>& is_wrong, Violation* violation) {
  Completer(evidence, budget, is_wrong, violation).Run();
}

std::string CounterExample(const Violation& violation, const AccountNames& names) {
  ordered_json header = {{"type", "header"}, {"version", 1}};
  if (violation.has_initial) {
    header["initial"] = ordered_json::object();
    for (const auto& [account, balance] : violation.initial.balances) {
      header["initial"][names.name(account)] = balance;
    }
    header["accounts_max"] = violation.initial.accounts_max;
  }
  std::string text = Text(header);
  std::vector<std::tuple<int64_t, bool, std::string>> lines;
  for (const Operation& op : violation.operations) {
    ordered_json line = LineOf("invoke", op, names);
    line["ns"] = op.invoke_ns;
    lines.emplace_back(op.invoke_ns, false, Text(line));
    if (op.return_ns == kNever) continue;
    line = LineOf(op.fate == Fate::kOk     ? "ok"
                  : op.fate == Fate::kFail ? "fail"
                                           : "info",
                  op, names);
    if (op.fate == Fate::kOk) {
      line["result"] = AnswerName(op.answer);
      if (op.has_balance) line["balance"] = op.balance;
      if (op.has_index) line["index"] = op.index;
      if (op.replayed) line["replayed"] = true;
    }
    line["ns"] = op.return_ns;
    lines.emplace_back(op.return_ns, true, Text(line));
  }
  std::stable_sort(lines.begin(), lines.end(), [](const auto& a, const auto& b) {
    return std::tie(std::get<0>(a), std::get<1>(a)) < std::tie(std::get<0>(b), std::get<1>(b));
  });
  for (const auto& [ns, is_completion, line] : lines) text += line;
  for (const Digest& digest : violation.digests) {
    ordered_json line = {{"type", "digest"},
                         {"branch", digest.branch},
                         {"log_index", digest.log_index},
                         {"state", digest.state}};
    if (!digest.history.empty()) line["history"] = digest.history;
    if (digest.accounts >= 0) line["accounts"] = digest.accounts;
    if (digest.has_balance_total) line["balance_total"] = digest.balance_total;
    text += Text(line);
  }
  return text;
}

}  // namespace bank::checker
