#include "customer/replay/report.h"

#include <array>
#include <nlohmann/json.hpp>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace bank::replay {
namespace {

using Json = nlohmann::json;

constexpr std::array<const char*, 5> kTypeNames = {"ready", "answer", "waiting", "done", "failed"};

Report FromJson(const Json& json) {
  Report report;
  const auto name = json.at("type").get<std::string>();
  size_t type = 0;
  while (name != kTypeNames.at(type)) ++type;  // throws out_of_range for a name of nobody
  report.type = static_cast<Report::Type>(type);
  report.entry = json.at("entry").get<size_t>();
  if (report.type == Report::Type::kAnswer) {
    report.answer.interface = static_cast<script::Interface>(json.at("interface").get<int>());
    report.answer.success = json.at("success").get<bool>();
    report.answer.balance = json.at("balance").get<int64_t>();
    report.answer.session = SessionId(json.at("session").get<uint64_t>());
    report.answer.sequence = json.at("sequence").get<uint64_t>();
    report.answer.position = Position(json.at("position").get<uint64_t>());
  } else if (report.type == Report::Type::kFailed) {
    report.exit_code = json.at("exit_code").get<int>();
    report.reason = json.at("reason").get<std::string>();
  }
  return report;
}

}  // namespace

std::string FormatReport(const Report& report) {
  Json json = {{"type", kTypeNames.at(static_cast<size_t>(report.type))}, {"entry", report.entry}};
  if (report.type == Report::Type::kAnswer) {
    json["interface"] = static_cast<int>(report.answer.interface);
    json["success"] = report.answer.success;
    json["balance"] = report.answer.balance;
    json["session"] = report.answer.session.value;
    json["sequence"] = report.answer.sequence;
    json["position"] = report.answer.position.value;
  } else if (report.type == Report::Type::kFailed) {
    json["exit_code"] = report.exit_code;
    json["reason"] = report.reason;
  }
  return json.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
}

absl::StatusOr<Report> ParseReport(std::string_view line) {
  try {
    return FromJson(Json::parse(line));
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat("not a report: ", absl::string_view(line.data(), line.size())));
  }
}

}  // namespace bank::replay
