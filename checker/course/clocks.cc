// JudgeClocks(): the form since 2023.
#include "checker/course/clocks.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "checker/course/requests.h"
#include "fmt/format.h"

namespace bank::checker::course {
namespace {

using script::Interface;
using script::Script;

// What an event is, but for its clock.
using EventKey = std::tuple<Process, int64_t, Interface, bool, bool, Process>;

EventKey KeyOf(const ClockEvent& event) {
  return {event.process,    event.request, event.interface,
          event.propagated, event.sent,    event.partner};
}

ClockEvent EventOf(const EventKey& key) {
  ClockEvent event;
  std::tie(event.process, event.request, event.interface, event.propagated, event.sent,
           event.partner) = key;
  return event;
}

// As DescribeEvent(), for one that is not there.
std::string DescribeKey(const EventKey& key) {
  const std::string text = DescribeEvent(EventOf(key));
  return text.substr(0, text.rfind(" at clock "));
}

Process Customer(int64_t id) { return {.is_branch = false, .id = id}; }
Process Branch(int64_t id) { return {.is_branch = true, .id = id}; }

class ClockJudge {
 public:
  ClockJudge(const Script& script, ClockOutput output, bool strict,
             const std::function<bool()>& out_of_time, Grade* grade)
      : script_(script),
        output_(std::move(output)),
        strict_(strict),
        out_of_time_(out_of_time),
        grade_(grade),
        requests_(RequestsOf(script)) {}

  void Run() {
    ChooseEvents();
    for (ClockEvent& event : events_) by_key_[KeyOf(event)].push_back(&event);
    for (auto& [key, events] : by_key_) {
      std::stable_sort(events.begin(), events.end(), [](const ClockEvent* a, const ClockEvent* b) {
        return a->clock < b->clock;
      });
    }
    Expect();
    JudgePresence();
    JudgeProcesses();
    JudgeMessages();
    JudgeParts();
    // A bank of one branch propagates nothing, and so tells nothing of refusals.
    if (script_.branches.size() > 1) {
      JudgeRefusals(script_, requests_, carried_, out_of_time_, grade_);
    }
    CountValues();
  }

 private:
  // The events of the processes, from the parts that have them, in each process' order.
  void ChooseEvents() {
    events_ = output_.by_process;
    if (!output_.has_customers) {
      grade_->Add("", "part 1 is missing: the list of every customer's events");
    }
    if (!output_.has_branches) {
      grade_->Add("", "part 2 is missing: the list of every branch's events");
    }
    if (!output_.has_flat) {
      grade_->Add("", "part 3 is missing: the flat list of all events, with id and type");
    }
    if (output_.has_customers && output_.has_branches) return;
    std::vector<ClockEvent> rest = output_.flat;
    std::stable_sort(rest.begin(), rest.end(),
                     [](const ClockEvent& a, const ClockEvent& b) { return a.clock < b.clock; });
    for (ClockEvent& event : rest) {
      const bool has = event.process.is_branch ? output_.has_branches : output_.has_customers;
      if (!has) events_.push_back(std::move(event));
    }
  }

  size_t CountOf(const EventKey& key) const {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? 0 : found->second.size();
  }

  // What the input asks for. Nothing tells which withdrawals were refused but that nothing is
  // propagated for them, so one of which something is propagated was not.
  void Expect() {
    std::map<std::tuple<int64_t, int64_t, Interface>, std::vector<size_t>> groups;
    for (size_t i = 0; i < requests_.size(); ++i) {
      const Request& r = requests_[i];
      groups[{r.home, r.id, r.interface}].push_back(i);
      ++expected_[{Customer(r.customer), r.id, r.interface, false, true, Customer(r.customer)}];
      ++expected_[{Branch(r.home), r.id, r.interface, false, false, Customer(r.customer)}];
    }
    carried_.assign(requests_.size(), true);
    for (const auto& [key, group] : groups) {
      const auto [home, id, interface] = key;
      const bool may_fail = interface == Interface::kWithdraw || requests_[group[0]].money == 0;
      size_t carried = group.size();
      if (may_fail && script_.branches.size() > 1) {
        carried = 0;
        for (const BranchId branch : script_.branches) {
          const auto peer = static_cast<int64_t>(branch.value);
          carried =
              std::max({carried, CountOf({Branch(home), id, interface, true, true, Branch(peer)}),
                        CountOf({Branch(peer), id, interface, true, false, Branch(home)})});
        }
        carried = std::min(carried, group.size());
        for (size_t i = carried; i < group.size(); ++i) carried_[group[i]] = false;
      }
      if (carried == 0) continue;
      for (const BranchId branch : script_.branches) {
        const auto peer = static_cast<int64_t>(branch.value);
        if (peer == home) continue;
        expected_[{Branch(home), id, interface, true, true, Branch(peer)}] += carried;
        expected_[{Branch(peer), id, interface, true, false, Branch(home)}] += carried;
      }
    }
  }

  void Blame(ClockEvent* event, std::string what, std::vector<std::string> others = {}) {
    event->is_faulty = true;
    grade_->Add(event->place, std::move(what), std::move(others));
  }

  static std::string At(const ClockEvent& event) {
    return fmt::format("{}: {}", event.place, DescribeEvent(event));
  }

  void JudgePresence() {
    for (const auto& [key, count] : expected_) {
      const auto found = by_key_.find(key);
      const size_t given = found == by_key_.end() ? 0 : found->second.size();
      if (given < count) {
        std::vector<std::string> others;
        if (const ClockEvent* other = OtherEnd(key)) others.push_back(At(*other));
        grade_->Add(
            "",
            fmt::format("an event is missing{}: {}",
                        given == 0 ? "" : fmt::format(" ({} of {} are there)", given, count),
                        DescribeKey(key)),
            std::move(others));
      }
      for (size_t i = count; i < given; ++i) {
        Blame(found->second[i],
              fmt::format("there is one event too many: {}, which is to be there {}",
                          DescribeEvent(*found->second[i]), count == 1 ? "once" : "that often"),
              {At(*found->second[0])});
      }
    }
    for (auto& [key, events] : by_key_) {
      if (expected_.contains(key)) continue;
      for (ClockEvent* event : events) {
        if (MayBeQuery(*event)) continue;
        Blame(event, WhyUnexpected(*event));
      }
    }
  }

  // The send of a receive, or the receive of a send, if it is there.
  const ClockEvent* OtherEnd(const EventKey& key) const {
    ClockEvent event = EventOf(key);
    if (event.sent && !event.partner.is_branch) return nullptr;
    std::swap(event.process, event.partner);
    event.sent = !event.sent;
    if (event.sent && !event.process.is_branch) event.partner = event.process;
    const auto found = by_key_.find(KeyOf(event));
    return found == by_key_.end() ? nullptr : found->second.front();
  }

  // Queries are no part of the project; who writes down that they were sent and received may.
  bool MayBeQuery(const ClockEvent& event) const {
    if (event.interface != Interface::kQuery || event.propagated) return false;
    for (const script::Entry& entry : script_.entries) {
      for (const script::Operation& op : entry.operations) {
        if (op.interface == Interface::kQuery && op.id.value_or(event.request) == event.request) {
          return true;
        }
      }
    }
    return false;
  }

  std::string WhyUnexpected(const ClockEvent& event) const {
    const std::string what = DescribeEvent(event);
    const Request* request = nullptr;
    for (const Request& r : requests_) {
      const bool nearer = request == nullptr || r.home == event.process.id;
      if (r.id == event.request && nearer) request = &r;
    }
    if (request == nullptr) {
      return fmt::format("the input has no request {}: {}", event.request, what);
    }
    const std::string asked = DescribeRequest(script_, *request);
    if (request->interface != event.interface) {
      return fmt::format("request {} is a {}: {}", event.request,
                         script::InterfaceName(request->interface), what);
    }
    if (event.propagated != event.partner.is_branch) {
      return fmt::format(
          "its interface and its comment contradict each other: between branches it is called "
          "propogate_{0}, between customer and branch {0}",
          script::InterfaceName(event.interface));
    }
    if (event.process.is_branch ? !IsBranch(event.process.id) : event.propagated) {
      return fmt::format("there is no {} in the input: {}", ProcessName(event.process), what);
    }
    if (event.partner.is_branch && !IsBranch(event.partner.id)) {
      return fmt::format("there is no {} in the input: {}", ProcessName(event.partner), what);
    }
    if (event.sent && !event.process.is_branch && event.process != event.partner) {
      return fmt::format("the comment of {}'s send names {}", ProcessName(event.process),
                         ProcessName(event.partner));
    }
    return fmt::format(
        "it names the wrong partner or stands at the wrong process: request {} is {}, "
        "which branch {} takes in and sends to the others; {}",
        event.request, asked, request->home, what);
  }

  bool IsBranch(int64_t id) const {
    return std::any_of(script_.branches.begin(), script_.branches.end(),
                       [&](BranchId branch) { return static_cast<int64_t>(branch.value) == id; });
  }

  // Along every process: clocks increase; strict: by just what Lamport's rule says.
  void JudgeProcesses() {
    std::map<Process, ClockEvent*> last;
    for (ClockEvent& event : events_) {
      ClockEvent*& before = last[event.process];
      const int64_t own = before == nullptr ? 0 : before->clock;
      if (event.clock <= own) {
        if (before == nullptr) {
          Blame(&event,
                fmt::format("its clock is {}; clocks begin at 0 and every event adds at least 1",
                            event.clock));
        } else {
          Blame(&event,
                fmt::format("the clock of {} does not increase: {} after {}",
                            ProcessName(event.process), event.clock, before->clock),
                {At(*before), At(event)});
        }
      } else if (strict_) {
        JudgeStep(&event, own);
      }
      before = &event;
    }
  }

  void JudgeStep(ClockEvent* event, int64_t own) {
    int64_t sent = 0;
    if (!event->sent) {
      const ClockEvent* send = SendOf(*event);
      if (send == nullptr) return;
      sent = send->clock;
    }
    const int64_t right = std::max(own, sent) + 1;
    if (event->clock == right || event->clock <= sent) return;  // the latter is said elsewhere
    Blame(
        event,
        event->sent
            ? fmt::format("strictly, {} sends at clock {}, its own {} + 1; it says {}",
                          ProcessName(event->process), right, own, event->clock)
            : fmt::format("strictly, {} receives at clock {}, max(own {}, sent {}) + 1; it says {}",
                          ProcessName(event->process), right, own, sent, event->clock));
  }

  // Both ends of every message that is expected: its sends and its receives, by clock.
  EventKey SendKeyOf(const ClockEvent& receive) const {
    const Process partner = receive.partner.is_branch ? receive.process : receive.partner;
    return {receive.partner, receive.request, receive.interface, receive.propagated, true, partner};
  }

  const ClockEvent* SendOf(const ClockEvent& receive) const {
    const auto sends = by_key_.find(SendKeyOf(receive));
    const auto receives = by_key_.find(KeyOf(receive));
    if (sends == by_key_.end()) return nullptr;
    for (size_t i = 0; i < std::min(sends->second.size(), receives->second.size()); ++i) {
      if (receives->second[i] == &receive) return sends->second[i];
    }
    return nullptr;
  }

  void JudgeMessages() {
    for (auto& [key, events] : by_key_) {
      for (ClockEvent* event : events) {
        if (!expected_.contains(key)) continue;
        if (!event->sent) {
          const ClockEvent* send = SendOf(*event);
          if (send != nullptr && event->clock <= send->clock) {
            Blame(event,
                  fmt::format("it is received at clock {}, not after it is sent at clock {}",
                              event->clock, send->clock),
                  {At(*send), At(*event)});
          }
        } else if (event->propagated) {
          JudgeCause(event);
        }
      }
    }
  }

  // A branch passes on what it has received.
  void JudgeCause(ClockEvent* send) {
    const ClockEvent* cause = nullptr;
    for (const Request& r : requests_) {
      if (r.id != send->request || r.home != send->process.id) continue;
      const auto found =
          by_key_.find({send->process, r.id, r.interface, false, false, Customer(r.customer)});
      if (found == by_key_.end()) continue;
      const ClockEvent* first = found->second.front();
      if (cause == nullptr || first->clock < cause->clock) cause = first;
    }
    if (cause == nullptr || cause->clock < send->clock) return;
    Blame(
        send,
        fmt::format("{} passes request {} on at clock {}, not after it has received it at clock {}",
                    ProcessName(send->process), send->request, send->clock, cause->clock),
        {At(*cause), At(*send)});
  }

  // Part 3 has the events of parts 1 and 2, each once, with the same clocks.
  void JudgeParts() {
    if (!output_.has_flat) return;
    std::map<EventKey, std::vector<ClockEvent*>> flat;
    for (ClockEvent& event : output_.flat) {
      const bool has = event.process.is_branch ? output_.has_branches : output_.has_customers;
      if (has) flat[KeyOf(event)].push_back(&event);
    }
    for (auto& [key, events] : by_key_) {
      const bool has = std::get<0>(key).is_branch ? output_.has_branches : output_.has_customers;
      if (has) Compare(&events, &flat[key]);
    }
    for (auto& [key, events] : flat) {
      if (by_key_.contains(key)) continue;
      for (const ClockEvent* event : events) {
        grade_->Add(event->place,
                    fmt::format("it stands in part 3 only: {}", DescribeEvent(*event)));
      }
    }
    JudgeFlatOrder();
  }

  void Compare(std::vector<ClockEvent*>* listed, std::vector<ClockEvent*>* flat) {
    std::stable_sort(flat->begin(), flat->end(),
                     [](const ClockEvent* a, const ClockEvent* b) { return a->clock < b->clock; });
    for (size_t i = 0; i < std::max(listed->size(), flat->size()); ++i) {
      if (i >= flat->size()) {
        Blame((*listed)[i], "it is not in part 3: " + DescribeEvent(*(*listed)[i]));
      } else if (i >= listed->size()) {
        grade_->Add((*flat)[i]->place,
                    "it stands in part 3 once more than in the list of its process: " +
                        DescribeEvent(*(*flat)[i]));
      } else if ((*flat)[i]->clock != (*listed)[i]->clock) {
        Blame((*listed)[i],
              fmt::format("the parts do not agree: its clock is {} here and {} in part 3",
                          (*listed)[i]->clock, (*flat)[i]->clock),
              {At(*(*listed)[i]), At(*(*flat)[i])});
      }
    }
  }

  // By request, and by clock within one.
  void JudgeFlatOrder() {
    std::set<int64_t> over;
    const ClockEvent* before = nullptr;
    std::vector<std::string> events;
    for (const ClockEvent& event : output_.flat) {
      const bool same = before != nullptr && before->request == event.request;
      const bool wrong = same ? event.clock < before->clock : over.contains(event.request);
      if (before != nullptr && !same) over.insert(before->request);
      if (wrong) events.push_back(At(event));
      before = &event;
    }
    if (events.empty()) return;
    const std::string what = fmt::format(
        "events out of place in part 3, which is grouped by request and ordered by clock within "
        "each: {}",
        events.size());
    if (strict_) {
      grade_->Add("", what, std::move(events));
    } else {
      grade_->notes.push_back(what);
    }
  }

  void CountValues() {
    for (const auto& [key, count] : expected_) {
      grade_->values += count;
      const auto found = by_key_.find(key);
      if (found == by_key_.end()) continue;
      size_t right = 0;
      for (const ClockEvent* event : found->second) right += event->is_faulty ? 0 : 1;
      grade_->values_right += std::min(right, count);
    }
  }

  const Script& script_;
  ClockOutput output_;
  const bool strict_;
  const std::function<bool()>& out_of_time_;
  Grade* const grade_;
  const std::vector<Request> requests_;
  std::vector<ClockEvent> events_;
  std::map<EventKey, std::vector<ClockEvent*>> by_key_;
  std::map<EventKey, size_t> expected_;
  std::vector<bool> carried_;  // of requests_
};

}  // namespace

void JudgeClocks(const Script& script, ClockOutput output, bool strict,
                 const std::function<bool()>& out_of_time, Grade* grade) {
  ClockJudge(script, std::move(output), strict, out_of_time, grade).Run();
}

}  // namespace bank::checker::course
