#include "branch/remote_command/catalog.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <span>

#include "common/check.h"
#include "common/decimal.h"

namespace bank::remote_command {
namespace {

constexpr std::string_view kCollectors[] = {"cpu",    "memory", "disk",     "network", "load",
                                            "uptime", "files",  "pressure", "process", "bank"};
constexpr std::string_view kLevels[] = {"trace", "debug", "info", "warn", "error", "off"};
constexpr std::string_view kPrograms[] = {"df", "uptime", "ps", "free"};
constexpr size_t kQuotedBytesMax = 64;
constexpr size_t kNameBytesMax = 64;

bool IsOneOf(std::string_view word, std::span<const std::string_view> list) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

bool IsPlain(char c, std::string_view others) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         others.find(c) != std::string_view::npos;
}

bool IsPlain(std::string_view text, std::string_view others) {
  return !text.empty() && text.size() <= kNameBytesMax &&
         std::all_of(text.begin(), text.end(), [&](char c) { return IsPlain(c, others); });
}

absl::Status Refuse(std::string message) { return absl::InvalidArgumentError(message); }

absl::Status CheckChoice(std::string_view what, std::string_view word,
                         std::span<const std::string_view> list) {
  if (IsOneOf(word, list)) return absl::OkStatus();
  return Refuse(fmt::format("no {} {}: one of {}", what, Quote(word), fmt::join(list, ", ")));
}

absl::Status CheckRows(uint32_t limit) {
  if (limit <= kRowsMax) return absl::OkStatus();
  return Refuse(fmt::format("limit {} is not in 0..{}", limit, kRowsMax));
}

absl::StatusOr<uint32_t> ParseNumber(std::string_view what, std::string_view word) {
  const auto number = ParseDecimal<uint32_t>(word);
  if (!number) return Refuse(fmt::format("{} is not a number: {}", what, Quote(word)));
  return *number;
}

std::string WithNumber(std::string_view name, uint64_t number) {
  return number == 0 ? std::string(name) : fmt::format("{} {}", name, number);
}

// What each type of command is: its checks and its text.
struct Checker {
  absl::Status operator()(std::monostate) const { return Refuse("the request names no command"); }
  absl::Status operator()(const SetSamplingInterval& c) const {
    if (c.milliseconds >= kSamplingMsMin && c.milliseconds <= kSamplingMsMax) {
      return absl::OkStatus();
    }
    return Refuse(fmt::format("sampling interval of {} ms is not in {}..{}", c.milliseconds,
                              kSamplingMsMin, kSamplingMsMax));
  }
  absl::Status operator()(const SetCollector& c) const {
    return CheckChoice("collector", c.collector, kCollectors);
  }
  absl::Status operator()(const TakeSnapshot&) const { return absl::OkStatus(); }
  absl::Status operator()(const TransferLeadership&) const { return absl::OkStatus(); }
  absl::Status operator()(const SetLogLevel& c) const {
    return CheckChoice("log level", c.level, kLevels);
  }
  absl::Status operator()(const ListSessions& c) const { return CheckRows(c.limit); }
  absl::Status operator()(const TopAccounts& c) const { return CheckRows(c.limit); }
  absl::Status operator()(const VerifyDigest&) const { return absl::OkStatus(); }
  absl::Status operator()(const HostDiagnostic& c) const {
    return CheckChoice("diagnostic", c.program, kPrograms);
  }
};

struct Writer {
  std::string operator()(std::monostate) const { return "(none)"; }
  std::string operator()(const SetSamplingInterval& c) const {
    return fmt::format("set-sampling-interval {}", c.milliseconds);
  }
  std::string operator()(const SetCollector& c) const {
    return fmt::format("{} {}", c.enabled ? "enable-collector" : "disable-collector",
                       Quote(c.collector));
  }
  std::string operator()(const TakeSnapshot&) const { return "take-snapshot"; }
  std::string operator()(const TransferLeadership& c) const {
    return WithNumber("transfer-leadership", c.to.value);
  }
  std::string operator()(const SetLogLevel& c) const {
    return fmt::format("set-log-level {}", Quote(c.level));
  }
  std::string operator()(const ListSessions& c) const {
    return WithNumber("list-sessions", c.limit);
  }
  std::string operator()(const TopAccounts& c) const { return WithNumber("top-accounts", c.limit); }
  std::string operator()(const VerifyDigest&) const { return "verify-digest"; }
  std::string operator()(const HostDiagnostic& c) const { return Quote(c.program); }
};

// `name` with its arguments, unchecked but for their number and form.
absl::StatusOr<Command> Assemble(std::string_view name, std::span<const std::string> arguments) {
  const auto number = [&](std::string_view what) -> absl::StatusOr<uint32_t> {
    if (arguments.empty()) return 0u;
    return ParseNumber(what, arguments[0]);
  };
  if (name == "set-sampling-interval") {
    const auto milliseconds = number("the interval in milliseconds");
    if (!milliseconds.ok()) return milliseconds.status();
    return SetSamplingInterval{*milliseconds};
  }
  if (name == "enable-collector") return SetCollector{arguments[0], true};
  if (name == "disable-collector") return SetCollector{arguments[0], false};
  if (name == "take-snapshot") return TakeSnapshot{};
  if (name == "transfer-leadership") {
    const auto to = number("the branch");
    if (!to.ok()) return to.status();
    return TransferLeadership{BranchId(*to)};
  }
  if (name == "set-log-level") return SetLogLevel{arguments[0]};
  if (name == "verify-digest") return VerifyDigest{};
  if (IsOneOf(name, kPrograms)) return HostDiagnostic{std::string(name)};
  const auto limit = number("the limit");
  if (!limit.ok()) return limit.status();
  if (name == "list-sessions") return ListSessions{*limit};
  BANK_CHECK(name == "top-accounts") << name << " is listed and cannot be parsed";
  return TopAccounts{*limit};
}

}  // namespace

const std::vector<Entry>& Catalog() {
  static const auto* catalog = new std::vector<Entry>{
      {"set-sampling-interval", "MILLISECONDS", "how often metrics are read: 100 to 3,600,000"},
      {"enable-collector", "NAME",
       "cpu, memory, disk, network, load, uptime, files, pressure, "
       "process or bank"},
      {"disable-collector", "NAME", "its metrics end until it is enabled again"},
      {"take-snapshot", "", "takes a snapshot and compacts the log"},
      {"transfer-leadership", "[BRANCH]",
       "runs on the leader; without BRANCH: to the most up to "
       "date"},
      {"set-log-level", "LEVEL", "trace, debug, info, warn, error or off"},
      {"list-sessions", "[LIMIT]", "longest idle first; 20 unless told otherwise"},
      {"top-accounts", "[LIMIT]", "by balance, highest first; 10 unless told otherwise"},
      {"verify-digest", "", "recomputes conservation of money and the digest from all accounts"},
      {"df", "", "disk space of the host"},
      {"uptime", "", "how long the host is up, and its load"},
      {"ps", "", "processes of the host"},
      {"free", "", "memory of the host"},
  };
  return *catalog;
}

absl::Status Check(const Command& command) { return std::visit(Checker(), command); }

std::string Text(const Command& command) { return std::visit(Writer(), command); }

absl::StatusOr<Command> Parse(const std::vector<std::string>& words) {
  if (words.empty()) return Refuse("no command is named");
  const auto& catalog = Catalog();
  const auto entry = std::find_if(catalog.begin(), catalog.end(),
                                  [&](const Entry& e) { return e.name == words[0]; });
  if (entry == catalog.end()) {
    std::vector<std::string_view> names;
    for (const Entry& e : catalog) names.push_back(e.name);
    return Refuse(fmt::format("no command {}: one of {}", Quote(words[0]), fmt::join(names, ", ")));
  }
  const size_t arguments_max = entry->arguments.empty() ? 0 : 1;
  const size_t arguments_min = entry->arguments.starts_with('[') ? 0 : arguments_max;
  const size_t count = words.size() - 1;
  if (count < arguments_min || count > arguments_max) {
    return Refuse(count > arguments_max
                      ? fmt::format("{} takes {}: {} is too much", entry->name,
                                    arguments_max == 0 ? "no arguments" : "one argument",
                                    Quote(words[arguments_max + 1]))
                      : fmt::format("{} needs {}", entry->name, entry->arguments));
  }
  auto command = Assemble(entry->name, std::span(words).subspan(1));
  if (!command.ok()) return command;
  if (absl::Status good = Check(*command); !good.ok()) return good;
  return command;
}

std::string Quote(std::string_view text) {
  if (IsPlain(text, "._-")) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text.substr(0, kQuotedBytesMax)) {
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (c >= ' ' && c <= '~') {
      quoted += c;
    } else {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  quoted += text.size() > kQuotedBytesMax ? "\"..." : "\"";
  return quoted;
}

absl::Status CheckId(std::string_view id) {
  if (IsPlain(id, "_-")) return absl::OkStatus();
  return Refuse(fmt::format("the id {} is not 1 to 64 of [A-Za-z0-9_-]", Quote(id)));
}

absl::Status CheckAgentName(std::string_view name) {
  if (IsPlain(name, "._-")) return absl::OkStatus();
  return Refuse(fmt::format("the agent's name {} is not 1 to 64 of [A-Za-z0-9._-]", Quote(name)));
}

bool IsBranchName(std::string_view name) {
  constexpr std::string_view kPrefix = "branch-";
  if (!name.starts_with(kPrefix)) return false;
  name.remove_prefix(kPrefix.size());
  return !name.empty() &&
         std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

absl::Status CheckDeadline(int64_t deadline_ms) {
  if (deadline_ms >= 1 && deadline_ms <= kDeadlineMsMax) return absl::OkStatus();
  return Refuse(fmt::format("the deadline of {} ms is not in 1..{}", deadline_ms, kDeadlineMsMax));
}

}  // namespace bank::remote_command
