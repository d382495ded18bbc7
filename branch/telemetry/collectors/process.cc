#include "branch/telemetry/collectors/process.h"

#include <dirent.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>

#include "branch/telemetry/collectors/text.h"
#include "branch/telemetry/collectors/uptime.h"

namespace bank::telemetry {
namespace {

std::optional<uint64_t> CountFiles(const std::string& folder) {
  struct statfs kind {};
  if (statfs(folder.c_str(), &kind) != 0) return std::nullopt;
  const bool live = kind.f_type == PROC_SUPER_MAGIC;
  // Since Linux 6.2 the folder's size is the number of open files: no need to list them all.
  struct stat size {};
  if (live && stat(folder.c_str(), &size) == 0 && size.st_size > 0) {
    return static_cast<uint64_t>(size.st_size);
  }
  DIR* opened = opendir(folder.c_str());
  if (opened == nullptr) return std::nullopt;
  uint64_t count = 0;
  while (const dirent* entry = readdir(opened)) count += entry->d_name[0] != '.';
  closedir(opened);
  return live ? count - 1 : count;  // without the one that listing them needs
}

}  // namespace

HostUnits HostUnits::OfThisHost() {
  return {.ticks_per_s = sysconf(_SC_CLK_TCK),
          .page_bytes = sysconf(_SC_PAGESIZE),
          .cpus = sysconf(_SC_NPROCESSORS_ONLN)};
}

std::optional<ProcessUse> ParseProcessStat(std::string_view stat) {
  // The program's name, in brackets, may hold blanks and brackets of its own.
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  std::string_view rest = stat.substr(name_end + 1);
  if (const size_t end = rest.find('\n'); end != std::string_view::npos) rest = rest.substr(0, end);
  SkipFields(&rest, 11);  // state ... cmajflt: fields 3 to 13
  const auto user = TakeNumber<uint64_t>(&rest);
  const auto system = TakeNumber<uint64_t>(&rest);
  SkipFields(&rest, 4);  // cutime cstime priority nice
  const auto threads = TakeNumber<uint64_t>(&rest);
  SkipFields(&rest, 1);  // itrealvalue
  const auto start = TakeNumber<uint64_t>(&rest);
  SkipFields(&rest, 1);  // vsize
  const auto resident = TakeNumber<uint64_t>(&rest);
  if (!user || !system || !threads || !start || !resident) return std::nullopt;
  return ProcessUse{.cpu_ticks = *user + *system,
                    .threads = *threads,
                    .start_ticks = *start,
                    .resident_pages = *resident};
}

ProcessCollector::ProcessCollector(const std::string& proc, HostUnits units)
    : units_(units),
      files_folder_(proc + "/self/fd"),
      stat_(proc + "/self/stat"),
      uptime_(proc + "/uptime"),
      cpu_(MakeSeries(kProcessCpuUtilization)),
      memory_(MakeSeries(kProcessMemoryUsage)),
      files_(MakeSeries(kProcessFileDescriptorCount)),
      threads_(MakeSeries(kProcessThreadCount)),
      running_(MakeSeries(kProcessUptime)) {}

void ProcessCollector::Collect(int64_t now_ns, std::vector<Sample>* samples) {
  if (const auto files = CountFiles(files_folder_)) {
    samples->push_back({files_, static_cast<double>(*files)});
  }
  const auto text = stat_.Read();
  if (!text.has_value()) return;
  const std::optional<ProcessUse> use = ParseProcessStat(*text);
  if (!use.has_value()) return;
  const auto ticks_per_s = static_cast<double>(units_.ticks_per_s);
  if (before_ns_.has_value() && now_ns > *before_ns_ && use->cpu_ticks >= before_ticks_) {
    const double used_s = static_cast<double>(use->cpu_ticks - before_ticks_) / ticks_per_s;
    const double offered_s =
        static_cast<double>(now_ns - *before_ns_) / 1e9 * static_cast<double>(units_.cpus);
    // Ticks are counted in whole ones: a busy process may seem to have a little more than there is.
    samples->push_back({cpu_, std::min(100.0, 100 * used_s / offered_s)});
  }
  before_ns_ = now_ns;
  before_ticks_ = use->cpu_ticks;
  samples->push_back(
      {memory_, static_cast<double>(use->resident_pages) * static_cast<double>(units_.page_bytes)});
  samples->push_back({threads_, static_cast<double>(use->threads)});
  const auto uptime_text = uptime_.Read();
  if (!uptime_text.has_value()) return;
  if (const auto uptime_s = ParseUptimeSeconds(*uptime_text)) {
    samples->push_back({running_, *uptime_s - static_cast<double>(use->start_ticks) / ticks_per_s});
  }
}

}  // namespace bank::telemetry
