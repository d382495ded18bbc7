#include "checker/course/requests.h"

#include <algorithm>

#include "checker/course/answers.h"
#include "checker/course/order_search.h"
#include "fmt/format.h"

namespace bank::checker::course {

using script::Interface;

std::vector<Request> RequestsOf(const script::Script& script) {
  std::vector<Request> requests;
  int64_t number = 0;
  for (size_t entry = 0; entry < script.entries.size(); ++entry) {
    const auto& operations = script.entries[entry].operations;
    for (size_t i = 0; i < operations.size(); ++i) {
      ++number;
      const script::Operation& op = operations[i];
      if (op.interface == Interface::kQuery) continue;
      requests.push_back({.entry = entry,
                          .operation = i,
                          .id = op.id.value_or(number),
                          .customer = static_cast<int64_t>(script.entries[entry].customer),
                          .home = static_cast<int64_t>(op.branch.value),
                          .interface = op.interface,
                          .money = op.money});
    }
  }
  return requests;
}

std::string DescribeRequest(const script::Script& script, const Request& request) {
  return DescribeAsked(script, request.entry, request.operation);
}

void JudgeRefusals(const script::Script& script, const std::vector<Request>& requests,
                   const std::vector<bool>& carried, const std::function<bool()>& out_of_time,
                   Grade* grade) {
  // The least that the balance can be when a request comes: the others' withdrawals, all of them,
  // and of its own customer's requests those before it.
  std::vector<Chain> chains(script.entries.size());
  Wide end = script.balance;
  for (size_t i = 0; i < requests.size(); ++i) {
    const Request& request = requests[i];
    if (request.money == 0) continue;
    if (request.interface == Interface::kDeposit) {
      chains[request.entry].push_back({Step::Kind::kAdd, request.money});
      end += request.money;
    } else if (carried[i]) {
      chains[request.entry].push_back({Step::Kind::kAdd, -request.money});
      end -= request.money;
    } else {
      chains[request.entry].push_back({Step::Kind::kBelow, request.money});
    }
  }
  std::vector<Wide> lowest(chains.size(), 0);  // of each chain's sums
  for (size_t c = 0; c < chains.size(); ++c) {
    Wide sum = 0;
    for (const Step& step : chains[c]) {
      if (step.kind == Step::Kind::kAdd) sum += step.amount;
      lowest[c] = std::min(lowest[c], sum);
    }
  }
  if (end < 0) {
    ++grade->values;
    std::vector<std::string> events;
    for (size_t i = 0; i < requests.size(); ++i) {
      if (carried[i] && requests[i].interface == Interface::kWithdraw) {
        events.push_back(DescribeRequest(script, requests[i]));
      }
    }
    grade->Add(
        "",
        fmt::format("the withdrawals that are propagated take more than there ever was: {} and "
                    "all deposits are not enough, so one of them had to be refused, and "
                    "nothing is propagated for a refused withdrawal",
                    script.balance),
        std::move(events));
    return;
  }
  bool found = false;
  for (size_t i = 0; i < requests.size(); ++i) {
    const Request& request = requests[i];
    if (carried[i] || request.interface != Interface::kWithdraw || request.money == 0) continue;
    Wide least = script.balance;
    for (size_t c = 0; c < chains.size(); ++c) {
      if (c != request.entry) least += lowest[c];
    }
    for (size_t j = 0; j < i; ++j) {
      if (requests[j].entry != request.entry) continue;
      if (requests[j].interface == Interface::kDeposit) least += requests[j].money;
      if (requests[j].interface == Interface::kWithdraw && carried[j]) least -= requests[j].money;
    }
    if (least < request.money) continue;
    found = true;
    grade->values += 2 * (script.branches.size() - 1);
    grade->Add(
        "",
        fmt::format("nothing is propagated for request {}, as if it had been refused, but in "
                    "every order the balance suffices for it: it is at least {}",
                    request.id, static_cast<int64_t>(least)),
        {DescribeRequest(script, request)});
  }
  if (found) return;
  const OrderFound order = FindOrder(script.balance, chains, out_of_time);
  if (order == OrderFound::kYes) return;
  if (order == OrderFound::kOutOfTime) {
    grade->Undecided(
        "not every order of the withdrawals was tried in the time given (--budget-ms)");
    return;
  }
  ++grade->values;
  std::vector<std::string> events;
  for (size_t i = 0; i < requests.size(); ++i) {
    if (requests[i].interface != Interface::kWithdraw) continue;
    events.push_back(fmt::format("{}: {}", DescribeRequest(script, requests[i]),
                                 carried[i] ? "propagated" : "not propagated, so refused"));
  }
  grade->Add("", "there is no order in which just these withdrawals succeed and the others fail",
             std::move(events));
}

}  // namespace bank::checker::course
