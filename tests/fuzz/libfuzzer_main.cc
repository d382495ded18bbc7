// libFuzzer's entry point: fuzzer --target=NAME [libFuzzer's own arguments].
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>

#include "tests/fuzz/target.h"

namespace {

const bank::fuzz::FuzzTarget* chosen = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  // libFuzzer ignores arguments that begin with two dashes.
  constexpr std::string_view kFlag = "--target=";
  for (int i = 1; i < *argc; ++i) {
    const std::string_view argument = (*argv)[i];
    if (argument.starts_with(kFlag)) {
      chosen = bank::fuzz::FindFuzzTarget(argument.substr(kFlag.size()));
    }
  }
  if (chosen == nullptr) {
    std::cerr << "usage: fuzzer --target=NAME [...]; targets:";
    for (const bank::fuzz::FuzzTarget& target : bank::fuzz::FuzzTargets()) {
      std::cerr << " " << target.name;
    }
    std::cerr << "\n";
    std::exit(1);
  }
  // What protobuf says about each text that is no UTF-8.
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  chosen->run({reinterpret_cast<const char*>(data), size});
  return 0;
}
