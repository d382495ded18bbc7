#include "customer/script/logical_clocks.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "customer/script/clock_requests.h"

namespace bank::script {
namespace {

using OrderedJson = nlohmann::ordered_json;

// As the list of a process and the flat list have it.
struct Line {
  size_t request = 0;  // place in ClockRequests::all
  uint64_t clock = 0;
  bool is_branch = false;
  uint64_t process = 0;
  std::string interface {};
  std::string comment{};
};

OrderedJson ToJson(const Line& line, const ClockRequests& requests) {
  return {{"customer-request-id", requests.all[line.request].id},
          {"logical_clock", line.clock},
          {"interface", line.interface},
          {"comment", line.comment}};
}

OrderedJson ToFlatJson(const Line& line, const ClockRequests& requests) {
  return {{"id", line.process},
          {"customer-request-id", requests.all[line.request].id},
          {"type", line.is_branch ? "branch" : "customer"},
          {"logical_clock", line.clock},
          {"interface", line.interface},
          {"comment", line.comment}};
}

Line LineOf(BranchId branch, const BranchEvent& event, size_t request,
            const ClockRequests& requests) {
  const ClockRequest& of = requests.all[request];
  Line line{.request = request, .clock = event.clock, .is_branch = true, .process = branch.value};
  switch (event.what) {
    case BranchEvent::What::kReceivedFromCustomer:
      line.interface = of.name;
      line.comment = fmt::format("event_recv from customer {}", of.customer);
      break;
    case BranchEvent::What::kSentToBranch:
      line.interface = fmt::format("propogate_{}", of.name);
      line.comment = fmt::format("event_sent to branch {}", event.partner.value);
      break;
    default:
      line.interface = fmt::format("propogate_{}", of.name);
      line.comment = fmt::format("event_recv from branch {}", event.partner.value);
      break;
  }
  return line;
}

void AppendElement(OrderedJson element, std::string* part) {
  if (!part->empty()) *part += ',';
  *part += element.dump();
}

}  // namespace

ClockParts FormatClocks(const Script& script, const std::vector<EntryAnswers>& answers,
                        const BranchEvents& events) {
  const ClockRequests requests = ListRequests(script, answers);
  ClockParts parts;
  std::vector<Line> all;
  for (size_t e = 0; e < script.entries.size(); ++e) {
    OrderedJson list = OrderedJson::array();
    for (size_t i = 0; i < requests.all.size(); ++i) {
      const ClockRequest& request = requests.all[i];
      if (request.entry != e) continue;
      all.push_back({.request = i,
                     .clock = request.clock,
                     .is_branch = false,
                     .process = request.customer,
                     .interface = std::string(request.name),
                     .comment = fmt::format("event_sent from customer {}", request.customer)});
      list.push_back(ToJson(all.back(), requests));
    }
    AppendElement({{"id", script.entries[e].customer}, {"type", "customer"}, {"events", list}},
                  &parts.customers);
  }
  for (BranchId branch : script.branches) {
    OrderedJson list = OrderedJson::array();
    const auto at = events.find(branch);
    for (const BranchEvent& event : at == events.end() ? std::vector<BranchEvent>() : at->second) {
      const auto request = requests.by_key.find({event.session, event.sequence});
      if (event.what == BranchEvent::What::kAnsweredByBranch || request == requests.by_key.end()) {
        continue;
      }
      all.push_back(LineOf(branch, event, request->second, requests));
      list.push_back(ToJson(all.back(), requests));
    }
    AppendElement({{"id", branch.value}, {"type", "branch"}, {"events", list}}, &parts.branches);
  }
  std::stable_sort(all.begin(), all.end(), [](const Line& a, const Line& b) {
    return std::tie(a.request, a.clock, a.is_branch, a.process) <
           std::tie(b.request, b.clock, b.is_branch, b.process);
  });
  for (const Line& line : all) AppendElement(ToFlatJson(line, requests), &parts.flat);
  return parts;
}

std::string JoinParts(const ClockParts& parts) {
  std::string joined = "[";
  for (const std::string* part : {&parts.customers, &parts.branches, &parts.flat}) {
    if (part->empty()) continue;
    if (joined.size() > 1) joined += ',';
    joined += *part;
  }
  return joined + "]\n";
}

}  // namespace bank::script
