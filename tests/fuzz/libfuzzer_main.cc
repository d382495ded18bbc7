// libFuzzer's entry point: fuzzer --target=NAME [libFuzzer's own arguments], or
// fuzzer --write-seeds=FOLDER, which leaves the encoders' seeds there, a folder for each target.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "tests/fuzz/target.h"

namespace bank::fuzz {
namespace {

const FuzzTarget* chosen = nullptr;

void WriteSeeds(const std::filesystem::path& folder) {
  for (const FuzzTarget& target : FuzzTargets()) {
    std::filesystem::create_directories(folder / target.name);
    if (target.seeds == nullptr) continue;
    int n = 0;
    for (const std::string& seed : target.seeds()) {
      std::ofstream(folder / target.name / std::to_string(n++), std::ios::binary) << seed;
    }
  }
}

// The value of `--name=value` if `argument` is that.
bool Flag(std::string_view argument, std::string_view name, std::string_view* value) {
  if (!argument.starts_with(name)) return false;
  *value = argument.substr(name.size());
  return true;
}

}  // namespace
}  // namespace bank::fuzz

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  using namespace bank::fuzz;
  // libFuzzer ignores arguments that begin with two dashes.
  for (int i = 1; i < *argc; ++i) {
    std::string_view value;
    if (Flag((*argv)[i], "--target=", &value)) chosen = FindFuzzTarget(value);
    if (Flag((*argv)[i], "--write-seeds=", &value)) {
      WriteSeeds(value);
      std::exit(0);
    }
  }
  if (chosen == nullptr) {
    std::cerr << "usage: fuzzer --target=NAME [...] | --write-seeds=FOLDER; targets:";
    for (const FuzzTarget& target : FuzzTargets()) std::cerr << " " << target.name;
    std::cerr << "\n";
    std::exit(1);
  }
  // It would complain about each text that is no UTF-8.
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bank::fuzz::chosen->run({reinterpret_cast<const char*>(data), size});
  return 0;
}
