#include "checker/page_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "common/one_line.h"
#include "fmt/format.h"

namespace bank::checker {
namespace {

absl::Status NoPage(const std::string& path, std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("{}: {}", OneLine(path, 400), why));
}

}  // namespace

absl::Status CanWritePage(const std::string& path, const std::vector<std::string>& inputs) {
  struct stat page {};
  if (stat(path.c_str(), &page) != 0) {
    if (errno != ENOENT) return NoPage(path, std::strerror(errno));
    const size_t slash = path.rfind('/');
    const std::string folder = slash == path.npos ? "." : path.substr(0, slash + 1);
    if (slash + 1 == path.size()) return NoPage(path, "is the name of a directory");
    struct stat about {};
    if (stat(folder.c_str(), &about) != 0) return NoPage(path, std::strerror(errno));
    if (access(folder.c_str(), W_OK | X_OK) != 0) return NoPage(path, std::strerror(errno));
    return absl::OkStatus();
  }
  if (S_ISDIR(page.st_mode)) return NoPage(path, "is a directory");
  if (access(path.c_str(), W_OK) != 0) return NoPage(path, std::strerror(errno));
  if (!S_ISREG(page.st_mode)) return absl::OkStatus();
  for (const std::string& input : inputs) {
    struct stat about {};
    const int found = input == "-" ? fstat(STDIN_FILENO, &about) : stat(input.c_str(), &about);
    if (found == 0 && about.st_dev == page.st_dev && about.st_ino == page.st_ino) {
      return NoPage(path, "is a history to be judged");
    }
  }
  return absl::OkStatus();
}

absl::Status WritePage(const std::string& path, std::string_view page) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << page << std::flush;
  if (!file) return NoPage(path, errno == 0 ? "cannot be written" : std::strerror(errno));
  return absl::OkStatus();
}

}  // namespace bank::checker
