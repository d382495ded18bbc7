// Script: what an input file of the course asks for, checked as a whole; of any of its projects.
//
// An input is one JSON array of customers and branches; docs/INPUT.md lists the forms that are
// accepted and what is refused. Pure: text in, values or one line of complaint out.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/ids.h"

namespace bank::script {

enum class Interface { kQuery, kDeposit, kWithdraw };

std::string_view InterfaceName(Interface interface);  // as the exercise spells it: "query", ...

struct Operation {
  Interface interface = Interface::kQuery;
  int64_t money = 0;          // minor units, >= 0; 0 for queries. Zero is for the bank to refuse
  BranchId branch;            // where it is to be sent
  bool branch_named = false;  // the event itself named the branch
  std::optional<int64_t> id = std::nullopt;  // of the event or request: a name in outputs, no key
};

// One customer element. The same customer may have several.
struct Entry {
  uint64_t customer = 0;  // from 1
  std::vector<Operation> operations;
  size_t element = 0;              // its number in the input, from 1
  bool customer_requests = false;  // the list is called so, as in project 2, and not `events`

  // Operations before the queries that end the entry: what `converged` runs before its barrier.
  size_t CountBeforeFinalQueries() const;
};

struct Script {
  std::vector<Entry> entries;      // in the order of the input
  std::vector<BranchId> branches;  // in the order of the input; no duplicates, at least one
  int64_t balance = 0;             // of every branch, >= 0
};

// `name` begins the complaint: "NAME: element 3 (customer 2), event 1, key "money": ...".
// InvalidArgument is the only error; its message is one line.
absl::StatusOr<Script> ParseScript(std::string_view name, std::string_view text);

}  // namespace bank::script
