#include "customer/script/answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace bank::script {

namespace {

using OrderedJson = nlohmann::ordered_json;

void AddResult(const Answer& answer, OrderedJson* event) {
  if (answer.interface == Interface::kQuery) {
    (*event)["balance"] = answer.balance;
  } else {
    (*event)["result"] = answer.success ? "success" : "fail";
  }
}

}  // namespace

std::string FormatOutput(const std::vector<EntryAnswers>& entries) {
  OrderedJson output = OrderedJson::array();
  for (const EntryAnswers& entry : entries) {
    OrderedJson received = OrderedJson::array();
    for (const Answer& answer : entry.answers) {
      OrderedJson event = {{"interface", InterfaceName(answer.interface)}};
      AddResult(answer, &event);
      received.push_back(std::move(event));
    }
    output.push_back({{"id", entry.customer}, {"recv", std::move(received)}});
  }
  return output.dump() + "\n";
}

std::string FormatOutputByEvent(const Script& script, const std::vector<EntryAnswers>& entries) {
  OrderedJson output = OrderedJson::array();
  for (size_t e = 0; e < entries.size(); ++e) {
    for (size_t i = 0; i < entries[e].answers.size(); ++i) {
      const Answer& answer = entries[e].answers[i];
      OrderedJson event = {{"interface", InterfaceName(answer.interface)},
                           {"branch", script.entries.at(e).operations.at(i).branch.value}};
      AddResult(answer, &event);
      output.push_back({{"id", entries[e].customer}, {"recv", OrderedJson::array({event})}});
    }
  }
  return output.dump() + "\n";
}

std::string FormatFinalBalances(const std::vector<EntryAnswers>& entries) {
  OrderedJson output = OrderedJson::array();
  for (const EntryAnswers& entry : entries) {
    const auto last =
        std::find_if(entry.answers.rbegin(), entry.answers.rend(),
                     [](const Answer& answer) { return answer.interface == Interface::kQuery; });
    if (last == entry.answers.rend()) continue;
    output.push_back({{"id", entry.customer}, {"balance", last->balance}});
  }
  return output.dump() + "\n";
}

std::string FormatReportLine(uint64_t customer, const Answer& answer) {
  std::string line = fmt::format("id {} {} {}", customer, InterfaceName(answer.interface),
                                 answer.success ? "True" : "False");
  if (answer.interface == Interface::kQuery) line += fmt::format(" money {}", answer.balance);
  return line;
}

}  // namespace bank::script
