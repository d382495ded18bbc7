// Catalog: the commands there are, their names, their arguments, and what is refused before
// anything runs. Pure.
//
// A command is one of a closed list of types, never a line for a shell. Its text form,
// "top-accounts 20", is what an operator types, what bankctl sends after parsing, and what the
// audit shows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/ids.h"

namespace bank::remote_command {

inline constexpr uint32_t kSamplingMsMin = 100;
inline constexpr uint32_t kSamplingMsMax = 3'600'000;
inline constexpr uint32_t kRowsMax = 10'000;
inline constexpr uint32_t kSessionRowsDefault = 20;
inline constexpr uint32_t kAccountRowsDefault = 10;
inline constexpr int64_t kDeadlineMsDefault = 10'000;
inline constexpr int64_t kDeadlineMsMax = 600'000;
inline constexpr size_t kOutputBytesMax = 65'536;
inline constexpr size_t kIssuerBytesMax = 256;

struct SetSamplingInterval {
  uint32_t milliseconds = 0;
  bool operator==(const SetSamplingInterval&) const = default;
};
struct SetCollector {
  std::string collector;
  bool enabled = false;
  bool operator==(const SetCollector&) const = default;
};
struct TakeSnapshot {
  bool operator==(const TakeSnapshot&) const = default;
};
struct TransferLeadership {
  BranchId to;  // 0: the most up to date
  bool operator==(const TransferLeadership&) const = default;
};
struct SetLogLevel {
  std::string level;
  bool operator==(const SetLogLevel&) const = default;
};
struct ListSessions {
  uint32_t limit = 0;  // 0: kSessionRowsDefault
  bool operator==(const ListSessions&) const = default;
};
struct TopAccounts {
  uint32_t limit = 0;  // 0: kAccountRowsDefault
  bool operator==(const TopAccounts&) const = default;
};
struct VerifyDigest {
  bool operator==(const VerifyDigest&) const = default;
};
struct HostDiagnostic {
  std::string program;
  bool operator==(const HostDiagnostic&) const = default;
};

// monostate: none was named; Check() refuses it.
using Command = std::variant<std::monostate, SetSamplingInterval, SetCollector, TakeSnapshot,
                             TransferLeadership, SetLogLevel, ListSessions, TopAccounts,
                             VerifyDigest, HostDiagnostic>;

struct Entry {
  std::string_view name;
  std::string_view arguments;  // as a usage line shows them; "": none
  std::string_view help;
};
const std::vector<Entry>& Catalog();

// InvalidArgument with one line for people: what is wrong, and what would be right.
absl::Status Check(const Command& command);

// The command that an operator's words mean: the name, then its arguments. Checked; errors as
// Check().
absl::StatusOr<Command> Parse(const std::vector<std::string>& words);

// The text form. One line of printable ASCII whatever the command holds, also one that Check()
// refuses.
std::string Text(const Command& command);

// What somebody wrote, for a message or a record: as it is if it is plain, else in quotation marks,
// escaped, and cut off after 64 bytes.
std::string Quote(std::string_view text);

// 1 to 64 of [A-Za-z0-9_-].
absl::Status CheckId(std::string_view id);
// 1 to 64 of [A-Za-z0-9._-].
absl::Status CheckAgentName(std::string_view name);
// "branch-3": what the bank's own branches are called, and nobody else.
bool IsBranchName(std::string_view name);
// 1 to kDeadlineMsMax.
absl::Status CheckDeadline(int64_t deadline_ms);

}  // namespace bank::remote_command
