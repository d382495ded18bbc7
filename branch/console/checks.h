// Named checks behind /livez and /readyz, answered in the form of Kubernetes: one line each with
// `verbose`, 200 or 503, `exclude=NAME`, and one check alone at /readyz/NAME.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace bank::console {

struct Check {
  std::string name;
  std::function<absl::Status()> run;  // may take up to a second; thread-safe
};

struct ChecksAnswer {
  bool ok = true;
  std::string text;
};

// `endpoint` is "livez" or "readyz". An excluded name that is no check's is an error, said in text.
ChecksAnswer RunChecks(std::string_view endpoint, const std::vector<Check>& checks,
                       const std::set<std::string>& excluded, bool verbose);

}  // namespace bank::console
