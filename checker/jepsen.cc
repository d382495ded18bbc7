#include "checker/jepsen.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <set>

#include "absl/container/flat_hash_set.h"
#include "checker/edn.h"
#include "common/one_line.h"
#include "fmt/format.h"

namespace bank::checker {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int64_t kNil = std::numeric_limits<int64_t>::min();
constexpr size_t kStatesMax = 1'000'000;

// Holds the sum of any number of 64-bit integers that fits in memory.
__extension__ typedef __int128 Sum;

enum class Function : uint8_t { kTransfer, kReadAll, kRead, kWrite, kCas };

struct Step {
  int64_t process = 0;
  Function function = Function::kRead;
  int64_t invoke = 0;     // place in the history
  int64_t over = kNever;  // likewise; kNever: it may or may not have happened
  int64_t first = kNil;   // from; value read or written; expected
  int64_t second = kNil;  // to; new value
  int64_t amount = 0;
  std::vector<std::pair<int64_t, int64_t>> balances;  // kReadAll, by account

  bool optional() const { return over == kNever; }
};

std::string Words(const Step& s) {
  const auto value = [](int64_t v) { return v == kNil ? std::string("nil") : std::to_string(v); };
  std::string out = fmt::format("process {}, lines {} to {}: ", s.process, s.invoke,
                                s.optional() ? std::string("never") : std::to_string(s.over));
  switch (s.function) {
    case Function::kTransfer:
      return out + fmt::format("transfer {} from {} to {}", s.amount, s.first, s.second);
    case Function::kReadAll:
      out += "read {";
      for (const auto& [account, balance] : s.balances) {
        out += fmt::format("{}{} {}", out.back() == '{' ? "" : ", ", account, value(balance));
      }
      return out + "}";
    case Function::kRead:
      return out + "read " + value(s.first);
    case Function::kWrite:
      return out + "write " + value(s.first);
    case Function::kCas:
      return out + fmt::format("cas {} to {}", value(s.first), value(s.second));
  }
  return out;
}

// The state: for a bank what transfers added to each account since the beginning and, once a read
// told it, what they held then; for a register its value.
struct State {
  int64_t value = kNil;
  std::map<int64_t, Sum> added;
  std::map<int64_t, Sum> base;
  bool base_known = false;

  bool Take(const Step& s) {
    switch (s.function) {
      case Function::kTransfer:
        added[s.first] -= s.amount;
        added[s.second] += s.amount;
        return true;
      case Function::kReadAll: {
        std::map<int64_t, Sum> then;
        for (const auto& [account, balance] : s.balances) {
          const auto it = added.find(account);
          then[account] = balance - (it == added.end() ? 0 : it->second);
        }
        if (base_known) return then == base;
        base = std::move(then);
        return base_known = true;
      }
      case Function::kRead:
        return s.first == value;
      case Function::kWrite:
        value = s.first;
        return true;
      case Function::kCas:
        if (value != s.first) return false;
        value = s.second;
        return true;
    }
    return false;
  }
  std::string Key() const {
    std::string key = std::to_string(value);
    for (const auto& [account, balance] : base) key += fmt::format(";{}:{}", account, balance);
    for (const auto& [account, change] : added) {
      if (change != 0) key += fmt::format(",{}:{}", account, change);
    }
    return key;
  }
};

// Wing and Gong's search with memoisation (see search.h), small enough for any model.
class StepSearch {
 public:
  StepSearch(std::vector<Step> steps, SteadyClock::time_point deadline)
      : steps_(std::move(steps)), deadline_(deadline), done_(steps_.size(), '0') {
    std::sort(steps_.begin(), steps_.end(),
              [](const Step& a, const Step& b) { return a.invoke < b.invoke; });
    for (const Step& s : steps_) left_ += s.optional() ? 0 : 1;
  }

  // 1: there is an order; 0: there is none; -1: out of budget.
  int Run() {
    std::vector<Frame> frames(1);
    Enter(&frames[0]);
    while (left_ != 0) {
      if (frames.empty()) return 0;
      Frame& frame = frames.back();
      if (frame.next == frame.candidates.size()) {
        frames.pop_back();
        if (!frames.empty()) Undo(frames.back());
        continue;
      }
      const size_t i = frame.candidates[frame.next++];
      State after = frame.state;
      if (!after.Take(steps_[i])) continue;
      done_[i] = '1';
      if (!seen_.insert(Remember(after)).second) {
        done_[i] = '0';
        continue;
      }
      if (seen_.size() > kStatesMax || SteadyClock::now() > deadline_) return -1;
      if (!steps_[i].optional()) --left_;
      Frame deeper;
      deeper.state = std::move(after);
      Enter(&deeper);
      frames.push_back(std::move(deeper));
    }
    return 1;
  }

 private:
  struct Frame {
    State state;
    std::vector<size_t> candidates;
    size_t next = 0;
  };

  void Enter(Frame* frame) {
    while (start_ < steps_.size() && done_[start_] == '1') ++start_;
    int64_t first_over = kNever;
    std::vector<size_t> optional;
    for (size_t i = start_; i < steps_.size() && steps_[i].invoke < first_over; ++i) {
      if (done_[i] == '1') continue;
      if (steps_[i].optional()) {
        optional.push_back(i);
      } else {
        frame->candidates.push_back(i);
        first_over = std::min(first_over, steps_[i].over);
      }
    }
    std::erase_if(frame->candidates, [&](size_t i) { return steps_[i].invoke > first_over; });
    for (size_t i : optional) {
      if (steps_[i].invoke < first_over) frame->candidates.push_back(i);
    }
  }
  void Undo(const Frame& frame) {
    const size_t i = frame.candidates[frame.next - 1];
    done_[i] = '0';
    start_ = std::min(start_, i);
    if (!steps_[i].optional()) ++left_;
  }
  // What is done from the first step on that is not, and the state.
  std::string Remember(const State& state) const {
    const size_t from = done_.find('0');
    const size_t to = done_.rfind('1');
    std::string key = std::to_string(from) + "|";
    if (from != std::string::npos && to != std::string::npos && to > from) {
      key += done_.substr(from, to - from + 1);
    }
    return key + "|" + state.Key();
  }

  std::vector<Step> steps_;
  SteadyClock::time_point deadline_;
  std::string done_;
  size_t start_ = 0;
  size_t left_ = 0;
  absl::flat_hash_set<std::string> seen_;
};

class JepsenJudge {
 public:
  explicit JepsenJudge(int64_t budget_ms)
      : deadline_(SteadyClock::now() + std::chrono::milliseconds(budget_ms)) {}

  absl::Status Read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return absl::NotFoundError(path + ": cannot be read");
    const std::string text((std::istreambuf_iterator<char>(file)),
                           std::istreambuf_iterator<char>());
    auto values = ParseEdn(text);
    if (!values.ok()) {
      return absl::InvalidArgumentError(path + ": " + std::string(values.status().message()));
    }
    for (const Edn& value : *values) {
      const bool list = value.type == Edn::Type::kVector;
      for (const Edn& event : list ? value.items : std::vector<Edn>{value}) {
        ++line_;
        if (absl::Status status = Take(event); !status.ok()) {
          return absl::InvalidArgumentError(
              fmt::format("{}: event {}: {}", path, line_, OneLine(std::string(status.message()))));
        }
      }
    }
    return absl::OkStatus();
  }

  Judgement Conclude() {
    for (const auto& [process, step] : open_) GiveUp(step);
    Judgement judgement;
    judgement.method = "search";
    judgement.operations = count_;
    judgement.notes.push_back(bank_ ? "a bank's history" : "a register's history");
    const Step* first = nullptr;
    Sum first_total = 0;
    for (const Step& step : steps_) {
      if (step.function != Function::kReadAll) continue;
      Sum total = 0;
      for (const auto& [account, balance] : step.balances) total += balance;
      if (first == nullptr) {
        first = &step;
        first_total = total;
      } else if (total != first_total) {
        Report(&judgement, ViolationKind::kTotal,
               fmt::format("one read sums up to {}, another to {}", first_total, total),
               {*first, step});
        return judgement;
      }
    }
    const int answer = StepSearch(steps_, deadline_).Run();
    if (answer == 1) judgement.verdict = Verdict::kConsistent;
    if (answer < 0) judgement.undecided_because = "the search came to the end of its budget";
    if (answer == 0) {
      Report(&judgement, ViolationKind::kSearch, "no order of the operations explains this",
             Shorten());
    }
    return judgement;
  }

 private:
  static void Report(Judgement* judgement, ViolationKind kind, std::string why,
                     const std::vector<Step>& steps) {
    judgement->verdict = Verdict::kInconsistent;
    Violation violation;
    violation.kind = kind;
    violation.why = std::move(why);
    for (const Step& step : steps) violation.hints.push_back(Words(step));
    judgement->violations.push_back(std::move(violation));
  }

  static bool Integer(const Edn* value, int64_t* integer) {
    if (value == nullptr || value->type == Edn::Type::kNil) return *integer = kNil, true;
    *integer = value->integer;
    return value->type == Edn::Type::kInteger;
  }

  // Fills in what `value` says; false if it is not what `step` needs.
  bool Understand(const Edn* value, bool answered, Step* step) {
    switch (step->function) {
      case Function::kTransfer:
        return value != nullptr && Integer(value->Find("from"), &step->first) &&
               Integer(value->Find("to"), &step->second) &&
               Integer(value->Find("amount"), &step->amount) && step->first != kNil &&
               step->second != kNil && step->amount != kNil;
      case Function::kCas:
        return value != nullptr && value->type == Edn::Type::kVector && value->items.size() == 2 &&
               Integer(&value->items[0], &step->first) && Integer(&value->items[1], &step->second);
      case Function::kWrite:
        return Integer(value, &step->first);
      default:
        break;
    }
    if (!answered) return true;
    if (value != nullptr && value->type == Edn::Type::kMap) {
      step->function = Function::kReadAll;
      bank_ = true;
      for (size_t i = 0; i + 1 < value->items.size(); i += 2) {
        if (value->items[i].type != Edn::Type::kInteger) return false;
        int64_t balance = 0;
        if (!Integer(&value->items[i + 1], &balance) || balance == kNil) return false;
        step->balances.emplace_back(value->items[i].integer, balance);
      }
      std::sort(step->balances.begin(), step->balances.end());
      return true;
    }
    return Integer(value, &step->first);
  }

  absl::Status Take(const Edn& event) {
    const Edn* type = event.Find("type");
    const Edn* process = event.Find("process");
    const Edn* function = event.Find("f");
    if (type == nullptr || process == nullptr) {
      return absl::InvalidArgumentError("not a map with :type and :process");
    }
    if (process->type != Edn::Type::kInteger) return absl::OkStatus();  // the nemesis
    if (function == nullptr) return absl::InvalidArgumentError("no :f");
    const Edn* value = event.Find("value");
    if (type->text == "invoke") {
      Step step;
      step.process = process->integer;
      step.invoke = line_;
      const std::string& f = function->text;
      if (f == "transfer") {
        step.function = Function::kTransfer;
        bank_ = true;
      } else if (f == "write") {
        step.function = Function::kWrite;
      } else if (f == "cas") {
        step.function = Function::kCas;
      } else if (f != "read") {
        return absl::InvalidArgumentError(":f " + f + " is neither of a bank nor of a register");
      }
      if (!Understand(value, false, &step)) {
        return absl::InvalidArgumentError("the :value does not fit its :f");
      }
      if (!open_.emplace(step.process, step).second) {
        return absl::InvalidArgumentError("the process has an operation open");
      }
      ++count_;
      return absl::OkStatus();
    }
    const auto open = open_.find(process->integer);
    if (open == open_.end()) {
      return absl::InvalidArgumentError("a completion without an invocation");
    }
    Step step = open->second;
    open_.erase(open);
    if (type->text == "ok") {
      step.over = line_;
      if (!Understand(value, true, &step)) {
        return absl::InvalidArgumentError("the :value does not fit its :f");
      }
      steps_.push_back(std::move(step));
    } else if (type->text == "info") {
      GiveUp(step);
    } else if (type->text != "fail") {
      return absl::InvalidArgumentError("unknown :type :" + type->text);
    }
    return absl::OkStatus();
  }

  void GiveUp(const Step& step) {
    if (step.function != Function::kRead && step.function != Function::kReadAll) {
      steps_.push_back(step);
    }
  }

  // The shortest prefix that fails: its last answer, and what overlaps it or came just before.
  std::vector<Step> Shorten() const {
    const auto until = [&](int64_t now) {
      std::vector<Step> some;
      for (Step step : steps_) {
        if (step.invoke > now) continue;
        if (!step.optional() && step.over > now) {
          if (step.function == Function::kRead || step.function == Function::kReadAll) continue;
          step.over = kNever;
        }
        some.push_back(std::move(step));
      }
      return some;
    };
    std::vector<int64_t> ends;
    for (const Step& step : steps_) {
      if (!step.optional()) ends.push_back(step.over);
    }
    std::sort(ends.begin(), ends.end());
    size_t low = 0;
    size_t high = ends.size() - 1;
    const auto limit = SteadyClock::now() + std::chrono::seconds(3);
    while (low < high) {
      const size_t middle = (low + high) / 2;
      if (StepSearch(until(ends[middle]), limit).Run() == 0) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    std::vector<Step> prefix = until(ends[low]);
    // Leave out, one by one, what is not needed: what is left out may or may not have happened.
    for (size_t i = 0; i < prefix.size() && prefix.size() <= 64; ++i) {
      std::vector<Step> less = prefix;
      if (less[i].optional()) continue;
      if (less[i].function == Function::kRead || less[i].function == Function::kReadAll) {
        less.erase(less.begin() + static_cast<std::ptrdiff_t>(i));
      } else {
        less[i].over = kNever;
      }
      if (StepSearch(less, limit).Run() != 0) continue;
      if (less.size() < prefix.size()) --i;
      prefix = std::move(less);
    }
    std::erase_if(prefix, [](const Step& step) { return step.optional(); });
    std::sort(prefix.begin(), prefix.end(),
              [](const Step& a, const Step& b) { return a.over < b.over; });
    if (prefix.size() > 10) prefix.erase(prefix.begin(), prefix.end() - 10);
    return prefix;
  }

  SteadyClock::time_point deadline_;
  std::map<int64_t, Step> open_;
  std::vector<Step> steps_;
  int64_t line_ = 0;
  uint64_t count_ = 0;
  bool bank_ = false;
};

}  // namespace

absl::StatusOr<Judgement> JudgeJepsen(const std::vector<std::string>& paths, int64_t budget_ms) {
  JepsenJudge judge(budget_ms);
  for (const std::string& path : paths) {
    if (absl::Status status = judge.Read(path); !status.ok()) return status;
  }
  return judge.Conclude();
}

}  // namespace bank::checker
