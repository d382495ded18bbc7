#include "branch/telemetry/collectors/files.h"

#include "branch/telemetry/collectors/text.h"

namespace bank::telemetry {

std::optional<OpenFiles> ParseFileNr(std::string_view file_nr) {
  std::string_view line;
  if (!TakeLine(&file_nr, &line)) return std::nullopt;
  const std::optional<uint64_t> allocated = TakeNumber<uint64_t>(&line);
  const std::optional<uint64_t> unused = TakeNumber<uint64_t>(&line);
  const std::optional<uint64_t> limit = TakeNumber<uint64_t>(&line);
  if (!allocated.has_value() || !unused.has_value() || !limit.has_value() || *unused > *allocated) {
    return std::nullopt;
  }
  return OpenFiles{*allocated - *unused, *limit};
}

FilesCollector::FilesCollector(const std::string& proc)
    : file_nr_(proc + "/sys/fs/file-nr"),
      used_(MakeSeries(kSystemFileDescriptorCount, {{"state", "used"}})),
      limit_(MakeSeries(kSystemFileDescriptorCount, {{"state", "limit"}})) {}

void FilesCollector::Collect(int64_t /*now_ns*/, std::vector<Sample>* samples) {
  const auto text = file_nr_.Read();
  if (!text.has_value()) return;
  const std::optional<OpenFiles> files = ParseFileNr(*text);
  if (!files.has_value()) return;
  samples->push_back({used_, static_cast<double>(files->used)});
  samples->push_back({limit_, static_cast<double>(files->limit)});
}

}  // namespace bank::telemetry
