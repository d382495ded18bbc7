// JudgeBlocks(): the form of 2021 to 2023, six sub-events for each write.
#include <algorithm>
#include <map>
#include <optional>

#include "checker/course/clocks.h"
#include "checker/course/requests.h"
#include "fmt/format.h"

namespace bank::checker::course {
namespace {

using script::Interface;
using script::Script;

// A sub-event of a write at a branch.
struct SubEventKey {
  int64_t pid = 0;
  int64_t event = 0;
  Interface interface = Interface::kDeposit;
  SubEvent kind = SubEvent::kRequest;

  auto operator<=>(const SubEventKey&) const = default;
};

SubEventKey KeyOfBlock(const BlockEvent& event) {
  return {event.pid, event.event, event.interface, event.kind};
}

class BlockJudge {
 public:
  BlockJudge(const Script& script, const ClockOutput& output, bool strict,
             const std::function<bool()>& out_of_time, Grade* grade)
      : script_(script),
        output_(output),
        strict_(strict),
        out_of_time_(out_of_time),
        grade_(grade),
        requests_(RequestsOf(script)),
        carried_(requests_.size(), true) {}

  void Run() {
    if (output_.by_branch.empty()) {
      grade_->Add("", "the blocks by branch are missing (\"pid\" and \"data\")");
      return;
    }
    for (const BlockEvent& event : output_.by_branch) by_key_[KeyOfBlock(event)].push_back(&event);
    for (auto& [key, events] : by_key_) SortByClock(&events);
    Expect();
    JudgePresence();
    JudgeProcesses();
    for (size_t i = 0; i < requests_.size(); ++i) JudgeCauses(requests_[i], carried_[i]);
    JudgeWrites();
    if (script_.branches.size() > 1) {
      JudgeRefusals(script_, requests_, carried_, out_of_time_, grade_);
    }
    for (const auto& [key, count] : expected_) {
      grade_->values += count.first;
      const auto found = by_key_.find(key);
      if (found == by_key_.end()) continue;
      size_t right = 0;
      for (const BlockEvent* event : found->second) right += faulty_.contains(event) ? 0 : 1;
      grade_->values_right += std::min(right, count.first);
    }
  }

 private:
  using Events = std::vector<const BlockEvent*>;

  static void SortByClock(Events* events) {
    std::stable_sort(events->begin(), events->end(),
                     [](const BlockEvent* a, const BlockEvent* b) { return a->clock < b->clock; });
  }

  const Events& At(const SubEventKey& key) const {
    static const Events kNone;
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? kNone : found->second;
  }

  // How often each sub-event is there, and how often it may be besides.
  void Expect() {
    for (size_t i = 0; i < requests_.size(); ++i) {
      const Request& r = requests_[i];
      const auto key = [&](int64_t pid, SubEvent kind) {
        return SubEventKey{pid, r.id, r.interface, kind};
      };
      if ((r.interface == Interface::kWithdraw || r.money == 0) && script_.branches.size() > 1) {
        carried_[i] = !At(key(r.home, SubEvent::kPropagateResponse)).empty();
        for (const BranchId branch : script_.branches) {
          const auto peer = static_cast<int64_t>(branch.value);
          if (!At(key(peer, SubEvent::kPropagateRequest)).empty() ||
              !At(key(peer, SubEvent::kPropagateExecute)).empty()) {
            carried_[i] = true;
          }
        }
      }
      ++expected_[key(r.home, SubEvent::kRequest)].first;
      ++expected_[key(r.home, SubEvent::kResponse)].second;
      if (!carried_[i]) {
        ++expected_[key(r.home, SubEvent::kExecute)].second;
        continue;
      }
      ++expected_[key(r.home, SubEvent::kExecute)].first;
      for (const BranchId branch : script_.branches) {
        const auto peer = static_cast<int64_t>(branch.value);
        if (peer == r.home) continue;
        ++expected_[key(peer, SubEvent::kPropagateRequest)].first;
        ++expected_[key(peer, SubEvent::kPropagateExecute)].first;
        ++expected_[key(r.home, SubEvent::kPropagateResponse)].first;
      }
    }
  }

  void Blame(const BlockEvent* event, std::string what, std::vector<std::string> others = {}) {
    faulty_[event] = true;
    grade_->Add(event->place, std::move(what), std::move(others));
  }

  static std::string Shown(const BlockEvent& event) {
    return fmt::format("{}: {}", event.place, DescribeEvent(event));
  }

  void JudgePresence() {
    for (const auto& [key, count] : expected_) {
      const Events& events = At(key);
      if (events.size() < count.first) {
        const std::string what = DescribeEvent(BlockEvent{
            .pid = key.pid, .event = key.event, .interface = key.interface, .kind = key.kind});
        grade_->Add(
            "", fmt::format("{} is there {} times, but must be {} times",
                            what.substr(0, what.rfind(" at clock ")), events.size(), count.first));
      }
      for (size_t i = count.first + count.second; i < events.size(); ++i) {
        Blame(events[i], "one too many: " + DescribeEvent(*events[i]), {Shown(*events[0])});
      }
    }
    for (const auto& [key, events] : by_key_) {
      if (expected_.contains(key)) continue;
      for (const BlockEvent* event : events) {
        const Request* request = nullptr;
        for (const Request& r : requests_) {
          if (r.id == event->event) request = &r;
        }
        if (request == nullptr) {
          Blame(event, fmt::format("the input has no write with the id {}: {}", event->event,
                                   DescribeEvent(*event)));
        } else {
          Blame(event, fmt::format(
                           "it does not belong there: event {} is {}, which branch {} takes in; {}",
                           event->event, DescribeRequest(script_, *request), request->home,
                           DescribeEvent(*event)));
        }
      }
    }
  }

  void JudgeProcesses() {
    std::map<int64_t, const BlockEvent*> last;
    for (const BlockEvent& event : output_.by_branch) {
      const BlockEvent*& before = last[event.pid];
      const int64_t own = before == nullptr ? 0 : before->clock;
      if (event.clock <= own) {
        Blame(&event,
              fmt::format("the clock of branch {} does not increase: {} after {}", event.pid,
                          event.clock, own),
              before == nullptr ? std::vector<std::string>{}
                                : std::vector<std::string>{Shown(*before), Shown(event)});
      } else if (strict_) {
        JudgeStep(event, own);
      }
      before = &event;
    }
  }

  // Strictly, what a branch does by itself adds 1.
  void JudgeStep(const BlockEvent& event, int64_t own) {
    const bool by_itself = event.kind == SubEvent::kExecute ||
                           event.kind == SubEvent::kPropagateExecute ||
                           event.kind == SubEvent::kResponse;
    if (by_itself && event.clock != own + 1) {
      Blame(&event,
            fmt::format("strictly, branch {} does this at clock {}, its own {} + 1; it says {}",
                        event.pid, own + 1, own, event.clock));
    } else if (event.kind == SubEvent::kPropagateResponse) {
      JudgeReceipt(event, own, ResponseSends(event));
    } else if (event.kind == SubEvent::kPropagateRequest) {
      JudgeReceipt(event, own, RequestSends(event));
    }
  }

  // Strictly, a receive is at max(own, sent) + 1, for one of the clocks it may have been sent at.
  void JudgeReceipt(const BlockEvent& event, int64_t own, const std::vector<int64_t>& sent) {
    if (sent.empty()) return;
    for (const int64_t clock : sent) {
      if (event.clock == std::max(own, clock) + 1) return;
    }
    Blame(&event,
          fmt::format("strictly, branch {} receives at max(own {}, sent) + 1, and no clock of the "
                      "sender gives {}",
                      event.pid, own, event.clock));
  }

  std::vector<int64_t> ResponseSends(const BlockEvent& event) const {
    std::vector<int64_t> clocks;
    for (const BlockEvent& other : output_.by_branch) {
      if (other.event == event.event && other.kind == SubEvent::kPropagateExecute) {
        clocks.push_back(other.clock);
      }
    }
    return clocks;
  }

  // A request carries the clock that its home had then: any from the execution on.
  std::vector<int64_t> RequestSends(const BlockEvent& event) const {
    std::vector<int64_t> clocks;
    int64_t home = 0;
    int64_t from = 0;
    for (const BlockEvent& other : output_.by_branch) {
      if (other.event == event.event && other.kind == SubEvent::kExecute) {
        home = other.pid;
        from = other.clock;
      }
    }
    for (const BlockEvent& other : output_.by_branch) {
      if (other.pid == home && other.clock >= from) clocks.push_back(other.clock);
    }
    return clocks;
  }

  void Later(const BlockEvent* early, const BlockEvent* late, const char* why) {
    if (late->clock > early->clock) return;
    Blame(late, fmt::format("{}: {} is not after {}", why, late->clock, early->clock),
          {Shown(*early), Shown(*late)});
  }

  void JudgeCauses(const Request& r, bool carried) {
    const auto key = [&](int64_t pid, SubEvent kind) {
      return SubEventKey{pid, r.id, r.interface, kind};
    };
    const Events& request = At(key(r.home, SubEvent::kRequest));
    const Events& execute = At(key(r.home, SubEvent::kExecute));
    const Events& response = At(key(r.home, SubEvent::kResponse));
    if (!request.empty() && !execute.empty()) {
      Later(request[0], execute[0], "a branch executes what it has received");
    }
    if (!request.empty() && !response.empty()) {
      Later(request[0], response[0], "a branch answers what it has received");
    }
    if (!execute.empty() && !response.empty()) {
      Later(execute[0], response[0], "a branch answers what it has executed");
    }
    if (!carried) return;
    Events done;
    for (const BranchId branch : script_.branches) {
      const auto peer = static_cast<int64_t>(branch.value);
      const Events& asked = At(key(peer, SubEvent::kPropagateRequest));
      const Events& did = At(key(peer, SubEvent::kPropagateExecute));
      if (!execute.empty() && !asked.empty()) {
        Later(execute[0], asked[0], "a branch receives after its home has sent");
      }
      if (!asked.empty() && !did.empty()) {
        Later(asked[0], did[0], "a branch executes what it has received");
      }
      if (!did.empty()) done.push_back(did[0]);
    }
    // The n-th answer comes after n others have executed it.
    SortByClock(&done);
    const Events& answers = At(key(r.home, SubEvent::kPropagateResponse));
    for (size_t i = 0; i < std::min(done.size(), answers.size()); ++i) {
      Later(done[i], answers[i], "an answer is received after it was sent");
    }
    if (!answers.empty() && !response.empty()) {
      Later(answers.back(), response.back(), "a branch answers when all others have answered it");
    }
  }

  // The blocks by write have the same sub-events; strictly, ordered by clock.
  void JudgeWrites() {
    if (output_.by_write.empty()) {
      if (!requests_.empty()) {
        grade_->Add("", "the blocks by write are missing (\"eventid\" and \"data\")");
      }
      return;
    }
    std::map<std::tuple<int64_t, Interface, SubEvent>, std::pair<Events, Events>> both;
    for (const BlockEvent& event : output_.by_branch) {
      both[{event.event, event.interface, event.kind}].first.push_back(&event);
    }
    std::map<int64_t, const BlockEvent*> last;
    for (const BlockEvent& event : output_.by_write) {
      both[{event.event, event.interface, event.kind}].second.push_back(&event);
      const BlockEvent*& before = last[event.event];
      if (before != nullptr && event.clock < before->clock) {
        const std::string what =
            fmt::format("the block of event {} is not ordered by clock: {} after {}", event.event,
                        event.clock, before->clock);
        if (strict_) {
          grade_->Add(event.place, what);
        } else {
          grade_->notes.push_back(what);
        }
      }
      before = &event;
    }
    for (auto& [key, events] : both) Compare(&events.first, &events.second);
  }

  void Compare(Events* by_branch, Events* by_write) {
    SortByClock(by_branch);
    SortByClock(by_write);
    for (size_t i = 0; i < std::max(by_branch->size(), by_write->size()); ++i) {
      if (i >= by_write->size()) {
        Blame((*by_branch)[i],
              "the block of its event lacks it: " + DescribeEvent(*(*by_branch)[i]));
      } else if (i >= by_branch->size()) {
        grade_->Add((*by_write)[i]->place,
                    "no block of a branch has it: " + DescribeEvent(*(*by_write)[i]));
      } else if ((*by_branch)[i]->clock != (*by_write)[i]->clock) {
        Blame((*by_branch)[i],
              fmt::format(
                  "the blocks do not agree: its clock is {} here and {} in the block of its event",
                  (*by_branch)[i]->clock, (*by_write)[i]->clock),
              {Shown(*(*by_branch)[i]), Shown(*(*by_write)[i])});
      }
    }
  }

  const Script& script_;
  const ClockOutput& output_;
  const bool strict_;
  const std::function<bool()>& out_of_time_;
  Grade* const grade_;
  const std::vector<Request> requests_;
  std::vector<bool> carried_;  // of requests_
  std::map<SubEventKey, Events> by_key_;
  std::map<SubEventKey, std::pair<size_t, size_t>> expected_;
  std::map<const BlockEvent*, bool> faulty_;
};

}  // namespace

void JudgeBlocks(const Script& script, const ClockOutput& output, bool strict,
                 const std::function<bool()>& out_of_time, Grade* grade) {
  BlockJudge(script, output, strict, out_of_time, grade).Run();
}

}  // namespace bank::checker::course
