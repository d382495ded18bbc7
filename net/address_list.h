// Where branches are, as every program's flags have it: '[ID=]host:port', or a list of such with
// commas. host is a name, an IPv4 address, or an IPv6 address in brackets; unix:path will do too.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/ids.h"

namespace bank::net {

struct BranchAddress {
  BranchId branch;  // 0: not named
  std::string address;

  friend bool operator==(const BranchAddress&, const BranchAddress&) = default;
};

// What becomes of an address without an id: it has none; it is refused; it is numbered by its place
// in the list, from 1.
enum class Ids { kOptional, kRequired, kByPlace };

// One of them. Blanks around it do not count. InvalidArgument, one line: it is not of that form,
// the id is not from 1 to kBranchIdMax, or the port is 0, where nobody listens.
absl::StatusOr<BranchAddress> ParseBranchAddress(std::string_view text, Ids ids);

// Several, in their order. InvalidArgument also if a branch is named twice.
absl::StatusOr<std::vector<BranchAddress>> ParseBranchAddresses(std::string_view text, Ids ids);

// Listening at port 0 means "any free port"; dialling it means nothing.
bool IsAnyPort(std::string_view address);

}  // namespace bank::net
