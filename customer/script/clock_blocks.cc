// The form of project 2 from 2021 to spring 2023; see logical_clocks.h.
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "absl/status/status.h"
#include "customer/script/clock_requests.h"
#include "customer/script/logical_clocks.h"

namespace bank::script {
namespace {

using OrderedJson = nlohmann::ordered_json;

struct SubEvent {
  BranchId branch;
  std::string name;
  uint64_t clock = 0;
};

// Goes through the branches' events in an order in which nothing is received before it was sent.
class Counter {
 public:
  Counter(const Script& script, const ClockRequests& requests, const BranchEvents& events)
      : requests_(requests) {
    for (BranchId branch : script.branches) {
      const auto at = events.find(branch);
      if (at == events.end()) continue;
      for (const BranchEvent& event : at->second) {
        const auto request = requests.by_key.find({event.session, event.sequence});
        if (request == requests.by_key.end()) continue;
        open_[branch].push_back({event, request->second});
        if (event.what == What::kSentToBranch) ++propagations_[request->second];
      }
    }
    // An answer that was still on its way when the events were asked for comes after all else.
    for (const auto& [branch, list] : events) AddMissingAnswers(branch);
  }

  absl::Status Run() {
    for (bool moved = true; moved;) {
      moved = false;
      for (auto& [branch, list] : open_) {
        while (!list.empty() && Take(branch, list.front())) {
          list.pop_front();
          moved = true;
        }
      }
    }
    for (const auto& [branch, list] : open_) {
      if (list.empty()) continue;
      return absl::FailedPreconditionError(
          fmt::format("branch {} received what nobody has sent", branch.value));
    }
    return absl::OkStatus();
  }

  const std::map<BranchId, std::vector<std::pair<size_t, SubEvent>>>& by_branch() const {
    return by_branch_;
  }

 private:
  using What = BranchEvent::What;
  struct Open {
    BranchEvent event;
    size_t request = 0;
  };

  void AddMissingAnswers(BranchId branch) {
    std::map<std::pair<size_t, BranchId>, int> missing;
    for (const Open& open : open_[branch]) {
      const std::pair of(open.request, open.event.partner);
      if (open.event.what == What::kSentToBranch) ++missing[of];
      if (open.event.what == What::kAnsweredByBranch) --missing[of];
    }
    for (const auto& [of, count] : missing) {
      if (count <= 0) continue;
      BranchEvent event{.what = What::kAnsweredByBranch};
      event.partner = of.second;
      open_[branch].push_back({event, of.first});
    }
  }

  uint64_t Tick(BranchId branch, size_t request, uint64_t heard, const char* name) {
    uint64_t& clock = clocks_[branch];
    clock = std::max(clock, heard) + 1;
    by_branch_[branch].push_back(
        {request, {branch, fmt::format("{}_{}", requests_.all[request].name, name), clock}});
    return clock;
  }

  // False: it waits for what another branch has not done yet.
  bool Take(BranchId branch, const Open& open) {
    const size_t request = open.request;
    switch (open.event.what) {
      case What::kReceivedFromCustomer:
        Tick(branch, request, requests_.all[request].clock, "request");
        Tick(branch, request, 0, "execute");
        if (propagations_[request] == 0) Tick(branch, request, 0, "response");
        return true;
      case What::kSentToBranch:
        sent_[{request, open.event.partner}] = clocks_[branch];
        return true;
      case What::kReceivedFromBranch: {
        const auto sent = sent_.find({request, branch});
        if (sent == sent_.end()) return false;
        Tick(branch, request, sent->second, "propagate_request");
        done_[{request, branch}] = Tick(branch, request, 0, "propagate_execute");
        return true;
      }
      case What::kAnsweredByBranch: {
        const auto done = done_.find({request, open.event.partner});
        if (done == done_.end()) return false;
        Tick(branch, request, done->second, "propagate_response");
        if (--propagations_[request] == 0) Tick(branch, request, 0, "response");
        return true;
      }
    }
    return true;
  }

  const ClockRequests& requests_;
  std::map<BranchId, std::deque<Open>> open_;
  std::map<size_t, int> propagations_;  // not answered yet
  std::map<BranchId, uint64_t> clocks_;
  std::map<std::pair<size_t, BranchId>, uint64_t> sent_;  // to the branch: the sender's clock
  std::map<std::pair<size_t, BranchId>, uint64_t> done_;  // by the branch
  std::map<BranchId, std::vector<std::pair<size_t, SubEvent>>> by_branch_;
};

}  // namespace

absl::StatusOr<std::string> FormatClockBlocks(const Script& script,
                                              const std::vector<EntryAnswers>& answers,
                                              const BranchEvents& events) {
  const ClockRequests requests = ListRequests(script, answers);
  Counter counter(script, requests, events);
  if (absl::Status status = counter.Run(); !status.ok()) return status;
  OrderedJson output = OrderedJson::array();
  std::map<size_t, std::vector<SubEvent>> by_request;
  for (BranchId branch : script.branches) {
    OrderedJson data = OrderedJson::array();
    const auto at = counter.by_branch().find(branch);
    if (at != counter.by_branch().end()) {
      for (const auto& [request, event] : at->second) {
        data.push_back(
            {{"id", requests.all[request].id}, {"name", event.name}, {"clock", event.clock}});
        by_request[request].push_back(event);
      }
    }
    output.push_back({{"pid", branch.value}, {"data", std::move(data)}});
  }
  for (auto& [request, list] : by_request) {
    std::stable_sort(list.begin(), list.end(), [](const SubEvent& a, const SubEvent& b) {
      return std::tie(a.clock, a.branch) < std::tie(b.clock, b.branch);
    });
    OrderedJson data = OrderedJson::array();
    for (const SubEvent& event : list) {
      data.push_back({{"clock", event.clock}, {"name", event.name}});
    }
    output.push_back({{"eventid", requests.all[request].id}, {"data", std::move(data)}});
  }
  return output.dump() + "\n";
}

}  // namespace bank::script
