// libFuzzer's entry point for the target that the build names.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/ledger/targets.h"

#define BANK_TEXT_OF(x) #x
#define BANK_TEXT(x) BANK_TEXT_OF(x)

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bank::ledger::FuzzTarget& target =
      bank::ledger::FindFuzzTarget(BANK_TEXT(BANK_FUZZ_TARGET));
  target.run({reinterpret_cast<const char*>(data), size});
  return 0;
}
