// What every parser of bytes from outside must survive: any bytes at all.
//
// A target stops the process if a promise is broken; the sanitizers see to the rest. The promises:
// what is accepted is encoded again to the same value, and a refusal is one clean line. The same
// functions run under libFuzzer (libfuzzer_main.cc) and in every test run (replay_test.cc).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace bank::fuzz {

struct FuzzTarget {
  std::string_view name;  // also its folder in corpus/
  void (*run)(std::string_view bytes);
  // Valid inputs to begin with, besides corpus/; null: none. Made by the encoders, so that they
  // stay valid when a format changes.
  std::vector<std::string> (*seeds)();
};

// Of all modules.
const std::vector<FuzzTarget>& FuzzTargets();
// Null if there is none of that name.
const FuzzTarget* FindFuzzTarget(std::string_view name);

std::span<const FuzzTarget> CheckerTargets();
std::span<const FuzzTarget> CourseTargets();
std::span<const FuzzTarget> LamportTargets();
std::span<const FuzzTarget> LedgerTargets();
std::span<const FuzzTarget> PeersTargets();
std::span<const FuzzTarget> RemoteCommandTargets();
std::span<const FuzzTarget> RpcTargets();
std::span<const FuzzTarget> ScriptTargets();
std::span<const FuzzTarget> StorageTargets();
std::span<const FuzzTarget> TelemetryTargets();

// Stops the process unless `refusal` can be shown to people as it is: one line of valid UTF-8 of
// bounded length, without control characters, that begins with `begin`.
void CheckRefusal(const absl::Status& refusal, std::string_view begin = "");

}  // namespace bank::fuzz
