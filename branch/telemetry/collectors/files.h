// Open files of the whole host: /proc/sys/fs/file-nr.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "branch/telemetry/catalog.h"
#include "branch/telemetry/collectors/collector.h"
#include "branch/telemetry/collectors/proc_file.h"

namespace bank::telemetry {

struct OpenFiles {
  uint64_t used = 0;
  uint64_t limit = 0;
};
std::optional<OpenFiles> ParseFileNr(std::string_view file_nr);

class FilesCollector final : public Collector {
 public:
  explicit FilesCollector(const std::string& proc);
  std::string_view name() const override { return "files"; }
  void Collect(int64_t now_ns, std::vector<Sample>* samples) override;

 private:
  ProcFile file_nr_;
  const SeriesPtr used_;
  const SeriesPtr limit_;
};

}  // namespace bank::telemetry
