#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "common/exit_code.h"
#include "customer/commands/commands.h"

namespace bank::customer {
namespace {

const std::map<std::string, history::Freshness> kFreshness = {
    {"linearizable", history::Freshness::kLinearizable},
    {"at-least", history::Freshness::kAtLeast},
    {"local", history::Freshness::kLocal}};

const std::map<std::string, bool> kFormats = {{"table", false}, {"json", true}};

int64_t Nanoseconds(double seconds) { return static_cast<int64_t>(seconds * 1e9); }

}  // namespace

void BankFlags::AddTo(FlagSet& flags) {
  at_given = flags.Add("--at", at, "the branches: 1=localhost:50051,2=localhost:50052,...");
  net::AddTlsFlags(flags, tls);
  flags.Add("--attempt-timeout", attempt_timeout_s, "seconds before asking another branch")
      .Between(0.001, 86'400.0)
      .ShowDefault();
  flags
      .Add("--operation-timeout", operation_timeout_s,
           "seconds for all attempts of an operation; then its fate is looked up")
      .Between(0.001, 86'400.0)
      .ShowDefault();
  flags.AddSwitch("--no-failover", no_failover, "ask no other branch when one cannot answer");
}

client::Patience BankFlags::patience() const {
  client::Patience patience;
  patience.attempt_ns_max = Nanoseconds(attempt_timeout_s);
  patience.operation_ns_max = Nanoseconds(operation_timeout_s);
  patience.lookup_ns_max = std::min(patience.lookup_ns_max, patience.operation_ns_max);
  return patience;
}

absl::StatusOr<std::vector<net::BranchAddress>> BankFlags::Addresses() const {
  auto addresses = net::ParseBranchAddresses(at, net::Ids::kByPlace);
  if (addresses.ok()) return addresses;
  return absl::InvalidArgumentError("--at: " + std::string(addresses.status().message()));
}

absl::StatusOr<std::vector<client::Branch>> BankFlags::Connect() const {
  auto addresses = Addresses();
  if (!addresses.ok()) return addresses.status();
  return client::Connect(*addresses, tls);
}

std::vector<std::string> BankFlags::FilesInUse(std::vector<std::string> more) const {
  more.insert(more.end(), {tls.certificate, tls.key, tls.authority});
  return more;
}

std::string WhyNotAccountName(const std::string& name) {
  static constexpr size_t kNameBytesMax = 128;
  return name.empty() || name.size() > kNameBytesMax
             ? fmt::format("an account's name has 1 to {} bytes", kNameBytesMax)
             : std::string();
}

void AddFormatFlag(FlagSet& flags, bool& json) {
  AddChoice(flags, "-w,--write", kFormats, json, "how to print: table or json");
}

Flag AddFreshnessFlag(FlagSet& flags, history::Freshness& freshness) {
  return AddChoice(flags, "--consistency", kFreshness, freshness,
                   "of queries: linearizable, at-least or local");
}

std::string_view FreshnessName(history::Freshness freshness) {
  for (const auto& [name, value] : kFreshness) {
    if (value == freshness) return name;
  }
  return "";
}

int Complain(int exit_code, std::string_view what) {
  std::cerr << "customer: " << what << std::endl;
  return exit_code;
}

int ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kExitOk;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
      return kExitBadInput;
    case absl::StatusCode::kPermissionDenied:
      return kExitDenied;
    default:
      return kExitUnavailable;
  }
}

}  // namespace bank::customer
