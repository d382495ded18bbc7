#include "common/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/one_line.h"

namespace bank {
namespace {

constexpr int kLinksMax = 40;   // as Linux has it
constexpr int kTriesMax = 100;  // for a name beside a file that is not left over from others
constexpr mode_t kPermissions = 07777;

bool SameFile(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

absl::Status Refuse(const std::string& name, std::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(OneLine(name), ": ", std::string(why)));
}

std::string Shown(const std::string& name) {
  return name == "-" ? "standard output" : OneLine(name);
}

absl::Status Failed(const std::string& name, int error, std::string_view what) {
  return absl::ErrnoToStatus(error, absl::StrCat(Shown(name), ": ", std::string(what)));
}

std::string FolderOf(const std::string& file) {
  const std::string folder = std::filesystem::path(file).parent_path().string();
  return folder.empty() ? "." : folder;
}

// The file that a name of a file, or of none, ends at. Symbolic links may end at nothing.
absl::StatusOr<std::string> FollowLinks(const std::string& name) {
  std::filesystem::path path(name);
  std::error_code error;
  for (int links = 0; std::filesystem::is_symlink(path, error); ++links) {
    if (links == kLinksMax) return Failed(name, ELOOP, "cannot be written");
    const std::filesystem::path target = std::filesystem::read_symlink(path, error);
    if (error) return Failed(name, error.value(), "cannot be written");
    path = path.parent_path() / target;  // an absolute target stands alone
  }
  const std::filesystem::path folder = std::filesystem::canonical(FolderOf(path.string()), error);
  if (error) return Failed(name, error.value(), "cannot be written: its folder");
  if (path.filename().empty() || path.filename() == "." || path.filename() == "..") {
    return Refuse(name, "a folder, not a file");
  }
  return (folder / path.filename()).string();
}

// Makes a file beside `file` that nobody else has. Empty, with errno: the folder takes none.
std::optional<std::string> MakeBeside(const std::string& file, FileDescriptor* open) {
  static std::atomic<int> made = 0;
  for (int tries = 0; tries < kTriesMax; ++tries) {
    const std::string path =
        absl::StrCat(FolderOf(file), "/.output-", ::getpid(), "-", made++, ".tmp");
    *open = FileDescriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (open->open()) return path;
    if (errno != EEXIST) break;
  }
  return std::nullopt;
}

// The standard output or error, if that is what `about` is: then it is written there, in turn with
// what is printed, and neither emptied nor replaced.
FileDescriptor StandardStream(const struct stat& about) {
  for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
    struct stat own = {};
    if (::fstat(stream, &own) == 0 && SameFile(own, about)) {
      return FileDescriptor(::fcntl(stream, F_DUPFD_CLOEXEC, 3));
    }
  }
  return FileDescriptor();
}

// Whether two names are of one file, or would be.
bool AreOne(const std::string& name, const struct stat* about, const std::string& file,
            const std::string& other) {
  if (other.empty() || other == "-") return false;
  struct stat theirs = {};
  if (::stat(other.c_str(), &theirs) == 0) {
    // Reading and writing one device at a time, a terminal for one, is usual.
    return about != nullptr && !S_ISCHR(theirs.st_mode) && SameFile(*about, theirs);
  }
  if (about != nullptr) return false;
  const auto theirs_at = FollowLinks(other);
  return other == name || (theirs_at.ok() && *theirs_at == file);
}

absl::Status CheckType(const std::string& name, const struct stat* about) {
  if (about == nullptr) return absl::OkStatus();
  if (S_ISDIR(about->st_mode)) return Refuse(name, "a folder, not a file");
  if (S_ISBLK(about->st_mode)) return Refuse(name, "a disk, not a file");
  if (S_ISSOCK(about->st_mode)) return Refuse(name, "a socket, not a file");
  return absl::OkStatus();
}

// Whether the regular file, or none yet, can be written, and whether only in place. Errors: what
// cannot be done; errno says why.
absl::Status Try(const std::string& file, const struct stat* about, bool* in_place) {
  if (about != nullptr && ::access(file.c_str(), W_OK) != 0) {
    return absl::UnavailableError("cannot be written");
  }
  // Of several names of one file only one can be given to another file, and a new file would be
  // ours.
  *in_place = about != nullptr && (about->st_nlink > 1 || about->st_uid != ::geteuid());
  FileDescriptor trial;
  if (const auto made = MakeBeside(file, &trial)) {
    ::unlink(made->c_str());
    return absl::OkStatus();
  }
  *in_place = true;
  return about != nullptr ? absl::OkStatus() : absl::UnavailableError("cannot be created");
}

}  // namespace

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    Close();
    number_ = other.Release();
  }
  return *this;
}

int FileDescriptor::Release() { return std::exchange(number_, -1); }

bool FileDescriptor::Close() {
  const int number = Release();
  return number < 0 || ::close(number) == 0;
}

absl::Status WriteAll(int descriptor, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(descriptor, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return absl::ErrnoToStatus(errno, "cannot be written");
    content.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status CheckOutput(const std::string& name, const std::vector<std::string>& others) {
  struct stat found = {};
  // Whoever reads a FIFO would take the end of this look for the end of the output.
  const bool fifo = ::stat(name.c_str(), &found) == 0 && S_ISFIFO(found.st_mode);
  if (!fifo) return FindOutput(name, others).status();
  return ::access(name.c_str(), W_OK) == 0 ? absl::OkStatus()
                                           : Failed(name, errno, "cannot be written");
}

absl::StatusOr<OutputPlace> FindOutput(const std::string& name,
                                       const std::vector<std::string>& others) {
  if (name.empty()) return absl::InvalidArgumentError("an output needs a name");
  OutputPlace place;
  place.name_ = name;
  if (name == "-") {
    place.through_ = FileDescriptor(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
    if (!place.through_.open()) return Failed(name, errno, "cannot be written");
    return place;
  }
  struct stat found = {};
  const bool exists = ::stat(name.c_str(), &found) == 0;
  if (!exists && errno != ENOENT) return Failed(name, errno, "cannot be written");
  const struct stat* const about = exists ? &found : nullptr;
  if (absl::Status status = CheckType(name, about); !status.ok()) return status;
  const bool regular = !exists || S_ISREG(found.st_mode);
  absl::StatusOr<std::string> file = std::string();
  if (regular) file = FollowLinks(name);
  if (!file.ok()) return file.status();
  for (const std::string& other : others) {
    if (!AreOne(name, about, *file, other)) continue;
    return Refuse(name, absl::StrCat("it is the same file as '", OneLine(other),
                                     "', which this call uses too; name another one"));
  }
  if (exists) place.through_ = StandardStream(found);
  if (place.through_.open()) return place;
  if (!regular) {
    place.through_ = FileDescriptor(::open(name.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC));
    if (!place.through_.open()) return Failed(name, errno, "cannot be written");
    return place;
  }
  place.file_ = *std::move(file);
  if (absl::Status status = Try(place.file_, about, &place.in_place_); !status.ok()) {
    return Failed(name, errno, std::string(status.message()));
  }
  return place;
}

absl::StatusOr<OutputFile> OutputFile::Begin(OutputPlace place, Mode mode) {
  OutputFile output(std::move(place));
  if (output.place_.through_.open()) return output;
  const std::string& file = output.place_.file_;
  if (mode == Mode::kWhole) {
    const auto made = MakeBeside(file, &output.open_);
    if (made) {
      output.temporary_ = *made;
    } else if (!output.place_.in_place_) {
      return output.Error(errno, "cannot be created");
    }
  }
  if (output.open_.open()) return output;
  output.open_ = FileDescriptor(
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (!output.open_.open()) return output.Error(errno, "cannot be created");
  return output;
}

OutputFile::~OutputFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

absl::Status OutputFile::Error(int error, std::string_view what) const {
  return Failed(place_.name_, error, what);
}

absl::Status OutputFile::Append(std::string_view content) {
  const bool through = place_.through_.open();
  if (through) std::cout.flush();  // it may be standard output: in turn with what was printed
  const absl::Status status = WriteAll(through ? place_.through_.get() : open_.get(), content);
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(Shown(place_.name_), ": ", status.message()));
}

// From the file beside it: what is there already is lost only now, when the new content is
// complete.
absl::Status OutputFile::CopyInPlace() {
  FileDescriptor from(::open(temporary_.c_str(), O_RDONLY | O_CLOEXEC));
  FileDescriptor to(::open(place_.file_.c_str(), O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC));
  if (!from.open() || !to.open()) return Error(errno, "cannot be written");
  std::string block(1 << 16, '\0');
  while (true) {
    const ssize_t size = ::read(from.get(), block.data(), block.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return Error(errno, "cannot be written");
    if (size == 0) break;
    if (!WriteAll(to.get(), std::string_view(block).substr(0, static_cast<size_t>(size))).ok()) {
      return Error(errno, "cannot be written");
    }
  }
  if (::fsync(to.get()) != 0 || !to.Close()) return Error(errno, "cannot be written");
  return absl::OkStatus();
}

absl::Status OutputFile::Commit() {
  if (place_.through_.open()) {
    return place_.through_.Close() ? absl::OkStatus() : Error(errno, "cannot be written");
  }
  if (!temporary_.empty()) {
    struct stat before = {};
    if (::stat(place_.file_.c_str(), &before) == 0 &&
        ::fchmod(open_.get(), before.st_mode & kPermissions) != 0) {
      return Error(errno, "cannot be written");
    }
  }
  if ((::fsync(open_.get()) != 0 && errno != EINVAL) || !open_.Close())
    return Error(errno, "cannot be written");
  if (temporary_.empty()) return absl::OkStatus();
  if (!place_.in_place_) {
    if (std::rename(temporary_.c_str(), place_.file_.c_str()) == 0) {
      temporary_.clear();
      return absl::OkStatus();
    }
    // A file that is mounted, into a container for one, has a name that cannot be taken from it.
    if (errno != EBUSY) return Error(errno, "cannot be renamed into place");
  }
  return CopyInPlace();
}

absl::Status WriteOutput(OutputPlace place, std::string_view content) {
  auto output = OutputFile::Begin(std::move(place), OutputFile::Mode::kWhole);
  if (!output.ok()) return output.status();
  if (absl::Status status = output->Append(content); !status.ok()) return status;
  return output->Commit();
}

}  // namespace bank
