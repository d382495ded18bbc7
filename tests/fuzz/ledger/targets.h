// What the ledger's decoders must survive: any bytes at all. Each target stops the process if a
// promise is broken; the sanitizers see to the rest.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bank::ledger {

struct FuzzTarget {
  std::string_view name;
  void (*run)(std::string_view bytes);
  std::vector<std::string> (*seeds)();  // valid inputs to begin with
};

std::span<const FuzzTarget> FuzzTargets();
const FuzzTarget& FindFuzzTarget(std::string_view name);

}  // namespace bank::ledger
