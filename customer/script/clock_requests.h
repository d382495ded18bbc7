// The requests of an input of project 2 by the keys under which the bank has them.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "course/script.h"
#include "customer/script/answers.h"

namespace bank::script {

struct ClockRequest {
  uint64_t customer = 0;
  int64_t id = 0;           // customer-request-id; the request's number in the input if it has none
  size_t entry = 0;         // its place in the script, from 0
  uint64_t clock = 0;       // the customer's, when it was sent
  std::string_view name{};  // deposit or withdraw
};

using RequestKey = std::pair<SessionId, uint64_t>;

struct ClockRequests {
  std::vector<ClockRequest> all;        // in the order of the input
  std::map<RequestKey, size_t> by_key;  // place in `all`
};

inline ClockRequests ListRequests(const Script& script, const std::vector<EntryAnswers>& answers) {
  ClockRequests requests;
  for (size_t e = 0; e < script.entries.size() && e < answers.size(); ++e) {
    const Entry& entry = script.entries[e];
    for (size_t i = 0; i < entry.operations.size() && i < answers[e].answers.size(); ++i) {
      const auto number = static_cast<int64_t>(requests.all.size() + 1);
      const Answer& answer = answers[e].answers[i];
      requests.by_key.emplace(RequestKey(answer.session, answer.sequence), requests.all.size());
      requests.all.push_back({.customer = entry.customer,
                              .id = entry.operations[i].id.value_or(number),
                              .entry = e,
                              .clock = i + 1,
                              .name = InterfaceName(entry.operations[i].interface)});
    }
  }
  return requests;
}

}  // namespace bank::script
