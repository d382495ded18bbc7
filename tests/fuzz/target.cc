#include "tests/fuzz/target.h"

#include "common/check.h"
#include "common/one_line.h"

namespace bank::fuzz {

const std::vector<FuzzTarget>& FuzzTargets() {
  static const std::vector<FuzzTarget> targets = [] {
    std::vector<FuzzTarget> all;
    for (std::span<const FuzzTarget> some :
         {CheckerTargets(), CourseTargets(), LamportTargets(), LedgerTargets(), PeersTargets(),
          RemoteCommandTargets(), RpcTargets(), ScriptTargets(), StorageTargets(),
          TelemetryTargets()}) {
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  }();
  return targets;
}

const FuzzTarget* FindFuzzTarget(std::string_view name) {
  for (const FuzzTarget& target : FuzzTargets()) {
    if (target.name == name) return &target;
  }
  return nullptr;
}

void CheckRefusal(const absl::Status& refusal, std::string_view begin) {
  constexpr size_t kBytesMax = 600;
  const std::string message(refusal.message());
  BANK_CHECK(!refusal.ok());
  BANK_CHECK(message.starts_with(begin)) << message;
  BANK_CHECK(message.size() > begin.size()) << "says nothing: " << message;
  BANK_CHECK(message.size() <= kBytesMax) << message.size() << " bytes: " << message;
  BANK_CHECK(OneLine(message, kBytesMax) == message) << "not one clean line: " << message;
}

}  // namespace bank::fuzz
