#include "net/address_list.h"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "common/decimal.h"
#include "common/one_line.h"
#include "net/security.h"

namespace bank::net {
namespace {

constexpr size_t kShownMax = 80;

}  // namespace

absl::StatusOr<BranchAddress> ParseBranchAddress(std::string_view text, Ids ids) {
  const std::string part(absl::StripAsciiWhitespace(absl::string_view(text.data(), text.size())));
  BranchAddress parsed{.branch = BranchId(0), .address = part};
  const size_t equals = part.find('=');
  const bool named = equals != std::string::npos && !part.starts_with("unix:");
  const auto id =
      named ? ParseDecimal<uint64_t>(std::string_view(part).substr(0, equals), 1, kBranchIdMax)
            : std::nullopt;
  if (id) {
    parsed = {BranchId(*id), part.substr(equals + 1)};
  } else if (named || ids == Ids::kRequired) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is not {}host:port with an id from 1 to {}", OneLine(part, kShownMax),
                    ids == Ids::kRequired ? "ID=" : "[ID=]", kBranchIdMax));
  }
  const std::string whose = id ? fmt::format("branch {}: ", *id) : "";
  const auto host = HostOf(parsed.address);
  if (!host.ok()) {
    return absl::InvalidArgumentError(whose + std::string(host.status().message()));
  }
  if (IsAnyPort(parsed.address)) {
    return absl::InvalidArgumentError(
        fmt::format("{}'{}' is at port 0, where nobody can be reached: name the port it listens on",
                    whose, parsed.address));
  }
  return parsed;
}

absl::StatusOr<std::vector<BranchAddress>> ParseBranchAddresses(std::string_view text, Ids ids) {
  std::vector<BranchAddress> addresses;
  std::set<BranchId> seen;
  for (const absl::string_view part :
       absl::StrSplit(absl::string_view(text.data(), text.size()), ',')) {
    auto parsed = ParseBranchAddress(std::string_view(part.data(), part.size()), ids);
    if (!parsed.ok()) return parsed.status();
    if (ids == Ids::kByPlace && parsed->branch == BranchId(0)) {
      parsed->branch = BranchId(addresses.size() + 1);
    }
    if (parsed->branch != BranchId(0) && !seen.insert(parsed->branch).second) {
      return absl::InvalidArgumentError(
          fmt::format("branch {} is named twice", parsed->branch.value));
    }
    addresses.push_back(*std::move(parsed));
  }
  return addresses;
}

bool IsAnyPort(std::string_view address) {
  return address.ends_with(":0") && !address.starts_with("unix:");
}

}  // namespace bank::net
