#include "customer/script/answers.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace bank::script {

std::string FormatOutput(const std::vector<EntryAnswers>& entries) {
  using Json = nlohmann::ordered_json;
  Json output = Json::array();
  for (const EntryAnswers& entry : entries) {
    Json received = Json::array();
    for (const Answer& answer : entry.answers) {
      Json event = {{"interface", InterfaceName(answer.interface)}};
      if (answer.interface == Interface::kQuery) {
        event["balance"] = answer.balance;
      } else {
        event["result"] = answer.success ? "success" : "fail";
      }
      received.push_back(std::move(event));
    }
    output.push_back({{"id", entry.customer}, {"recv", std::move(received)}});
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
