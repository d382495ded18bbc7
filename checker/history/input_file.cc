#include "checker/history/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "common/one_line.h"
#include "fmt/format.h"

namespace bank::checker {
namespace {

constexpr size_t kPathBytesMax = 400;

absl::Status Refused(const std::string& path, std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("{}: {}", OneLine(path, kPathBytesMax), why));
}

std::string CopyFolder() {
  const char* folder = std::getenv("TMPDIR");
  return folder == nullptr || *folder == '\0' ? "/tmp" : folder;
}

// A file that nobody else sees and that ends with this process; -1 with errno.
int OpenUnnamed() {
  const std::string folder = CopyFolder();
  const int fd = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return fd;
  std::string name = folder + "/checker.XXXXXX";
  const int named = mkostemp(name.data(), O_CLOEXEC);
  if (named >= 0) unlink(name.c_str());
  return named;
}

}  // namespace

InputFile::~InputFile() {
  if (fd_ >= 0) close(fd_);
  if (copy_ >= 0) close(copy_);
}

absl::StatusOr<std::shared_ptr<InputFile>> InputFile::Open(const std::string& path) {
  const bool is_stdin = path == "-";
  const int fd =
      is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::NotFoundError(Refused(path, std::strerror(errno)).message());
  std::shared_ptr<InputFile> file(
      new InputFile(is_stdin ? "standard input" : OneLine(path, kPathBytesMax), fd));
  struct stat about {};
  if (fstat(fd, &about) != 0) return Refused(file->path_, std::strerror(errno));
  if (S_ISDIR(about.st_mode)) {
    return Refused(file->path_, "is a directory; name the history's file in it");
  }
  if (S_ISBLK(about.st_mode)) return Refused(file->path_, "is a device, not a history");
  file->is_regular_ = S_ISREG(about.st_mode);
  file->device_ = about.st_dev;
  file->inode_ = about.st_ino;
  if (file->is_regular_ && is_stdin) {  // as far as others have read it already
    const off_t at = lseek(fd, 0, SEEK_CUR);
    file->begin_ = at < 0 ? 0 : static_cast<uint64_t>(at);
  }
  return file;
}

std::shared_ptr<InputFile> InputFile::OfText(std::string path, std::string text) {
  std::shared_ptr<InputFile> file(new InputFile(std::move(path), -1));
  file->text_ = std::move(text);
  return file;
}

bool InputFile::Shares(const InputFile& other) const {
  return !is_regular_ && device_ == other.device_ && inode_ == other.inode_;
}

absl::Status InputFile::Keep(const char* bytes, size_t count) {
  if (copy_ < 0) copy_ = OpenUnnamed();
  while (copy_ >= 0 && count != 0) {
    const ssize_t wrote = pwrite(copy_, bytes, count, static_cast<off_t>(copied_));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) break;
    bytes += wrote;
    copied_ += static_cast<uint64_t>(wrote);
    count -= static_cast<size_t>(wrote);
  }
  if (count == 0) return absl::OkStatus();
  return absl::UnavailableError(
      fmt::format("{}: no copy of it can be kept in {}: {}; set TMPDIR, or give a file", path_,
                  OneLine(CopyFolder()), std::strerror(errno)));
}

absl::StatusOr<size_t> InputFile::Read(uint64_t offset, char* buffer, size_t bytes) {
  if (fd_ < 0) return text_.copy(buffer, bytes, std::min<size_t>(offset, text_.size()));
  if (!is_regular_ && offset >= copied_ && at_end_) return 0;
  for (;;) {
    const bool is_new = !is_regular_ && offset >= copied_;
    const ssize_t got =
        is_new ? read(fd_, buffer, bytes)
               : pread(is_regular_ ? fd_ : copy_, buffer,
                       is_regular_ ? bytes : std::min<uint64_t>(bytes, copied_ - offset),
                       static_cast<off_t>(begin_ + offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return absl::UnavailableError(fmt::format("{}: {}", path_, std::strerror(errno)));
    if (is_new && got == 0) at_end_ = true;
    if (is_new && got > 0) {
      if (absl::Status kept = Keep(buffer, static_cast<size_t>(got)); !kept.ok()) return kept;
    }
    return static_cast<size_t>(got);
  }
}

absl::StatusOr<InputFiles> OpenInputs(const std::vector<std::string>& paths) {
  InputFiles files;
  for (const std::string& path : paths) {
    auto file = InputFile::Open(path);
    if (!file.ok()) return file.status();
    for (const auto& other : files) {
      if ((*file)->Shares(*other)) return Refused((*file)->path(), "can be read only once");
    }
    files.push_back(*std::move(file));
  }
  return files;
}

}  // namespace bank::checker
