// Collector: one source of samples. One per file; each is made of a pure parser (text to numbers)
// and a reader that knows where the text is.
//
// What a machine does not offer is left out; so is a rate that needs two samples at the first
// one, or when its counter began anew in between. One thread at a time.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "branch/telemetry/sample_batch.h"

namespace bank::telemetry {

class Collector {
 public:
  virtual ~Collector() = default;

  // What it is called in commands: "cpu", "memory", ...
  virtual std::string_view name() const = 0;

  // Appends what it sees now. `now_ns`: steady clock, never decreasing.
  virtual void Collect(int64_t now_ns, std::vector<Sample>* samples) = 0;

  // It was not asked for some time: rates begin anew, instead of being averages over all of it.
  virtual void Forget() {}
};

}  // namespace bank::telemetry
