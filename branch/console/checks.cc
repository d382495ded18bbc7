#include "branch/console/checks.h"

#include <fmt/format.h>

#include "common/one_line.h"

namespace bank::console {

ChecksAnswer RunChecks(std::string_view endpoint, const std::vector<Check>& checks,
                       const std::set<std::string>& excluded, bool verbose) {
  ChecksAnswer answer;
  std::set<std::string> unknown = excluded;
  for (const Check& check : checks) {
    unknown.erase(check.name);
    if (excluded.contains(check.name)) {
      answer.text += fmt::format("[+]{} excluded: ok\n", check.name);
      continue;
    }
    const absl::Status status = check.run();
    if (status.ok()) {
      answer.text += fmt::format("[+]{} ok\n", check.name);
    } else {
      answer.ok = false;
      answer.text += fmt::format("[-]{} failed: {}\n", check.name, std::string(status.message()));
    }
  }
  for (const std::string& name : unknown) {
    answer.text += fmt::format("warn: there is no check '{}' to exclude\n", OneLine(name));
  }
  if (answer.ok && !verbose) {
    answer.text = "ok";
  } else {
    answer.text += fmt::format("{} check {}\n", endpoint, answer.ok ? "passed" : "failed");
  }
  return answer;
}

}  // namespace bank::console
