#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "common/check.h"
#include "course/lenient_json.h"
#include "course/script.h"
#include "tests/fuzz/target.h"

namespace bank::fuzz {
namespace {

using script::Entry;
using script::Operation;
using script::Script;

// The plainest input that means `script`.
std::string WriteScript(const Script& script) {
  nlohmann::ordered_json elements = nlohmann::ordered_json::array();
  for (const Entry& entry : script.entries) {
    nlohmann::ordered_json events = nlohmann::ordered_json::array();
    for (const Operation& operation : entry.operations) {
      nlohmann::ordered_json event = {{"interface", InterfaceName(operation.interface)},
                                      {"money", operation.money}};
      if (operation.branch_named) event["branch"] = operation.branch.value;
      events.push_back(std::move(event));
    }
    elements.push_back({{"id", entry.customer}, {"type", "customer"}, {"events", events}});
  }
  for (BranchId branch : script.branches) {
    elements.push_back({{"id", branch.value}, {"type", "branch"}, {"balance", script.balance}});
  }
  return elements.dump();
}

// Everything in it.
std::string Text(const Script& script) {
  std::string text = fmt::format("balance {}", script.balance);
  for (BranchId branch : script.branches) text += fmt::format(" branch {}", branch.value);
  for (const Entry& entry : script.entries) {
    text += fmt::format("\n{} ({} before final queries):", entry.customer,
                        entry.CountBeforeFinalQueries());
    for (const Operation& operation : entry.operations) {
      text += fmt::format(" {} {} at {} {}", InterfaceName(operation.interface), operation.money,
                          operation.branch.value, operation.branch_named);
    }
  }
  return text;
}

// What is accepted means the same when it is written plainly.
void RunScript(std::string_view bytes) {
  const absl::StatusOr<Script> script = script::ParseScript("in.json", bytes);
  if (!script.ok()) return CheckRefusal(script.status(), "in.json: ");
  BANK_CHECK(!script->branches.empty());
  const absl::StatusOr<Script> again = script::ParseScript("in.json", WriteScript(*script));
  BANK_CHECK(again.ok()) << again.status();
  BANK_CHECK(Text(*script) == Text(*again)) << Text(*script) << "\n" << Text(*again);
}

// JSON as the standard has it stays as it is, and lines stay where they were.
void RunLenientJson(std::string_view bytes) {
  const absl::StatusOr<std::string> strict = script::ToStrictJson(bytes);
  if (!strict.ok()) return CheckRefusal(strict.status(), "line ");
  const auto lines = [](std::string_view text) {
    return std::count(text.begin(), text.end(), '\n');
  };
  BANK_CHECK(lines(bytes) == lines(*strict)) << *strict;
  if (!nlohmann::json::accept(*strict)) return;
  const absl::StatusOr<std::string> again = script::ToStrictJson(*strict);
  BANK_CHECK(again.ok()) << again.status();
  BANK_CHECK(*again == *strict) << *again << "\n" << *strict;
}

constexpr FuzzTarget kTargets[] = {{"script", RunScript, nullptr},
                                   {"script_lenient_json", RunLenientJson, nullptr}};

}  // namespace

std::span<const FuzzTarget> ScriptTargets() { return kTargets; }

}  // namespace bank::fuzz
