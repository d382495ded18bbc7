#include "branch/storage/posix_file_system.h"

#include <fmt/format.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string_view>
#include <utility>

namespace bank::storage {
namespace {

absl::Status Failed(int error, std::string_view what, const std::string& path) {
  const absl::Status words = absl::ErrnoToStatus(error, fmt::format("cannot {} {}", what, path));
  if (error == ENOSPC || error == EDQUOT) return absl::ResourceExhaustedError(words.message());
  return words;
}

// Repeats a call that a signal interrupted.
template <class Call>
auto Retry(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&&) = delete;
  ~FileDescriptor() {
    // Nothing is lost by a failing close: whatever must last was synced before.
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

absl::StatusOr<FileDescriptor> OpenDescriptor(const std::string& path, int flags) {
  const int fd = Retry([&] { return open(path.c_str(), flags | O_CLOEXEC, 0644); });
  if (fd < 0) return Failed(errno, "open", path);
  return FileDescriptor(fd);
}

absl::Status SyncPath(const std::string& directory) {
  absl::StatusOr<FileDescriptor> fd = OpenDescriptor(directory, O_RDONLY | O_DIRECTORY);
  if (!fd.ok()) return fd.status();
  if (Retry([&] { return fsync(fd->get()); }) != 0) return Failed(errno, "sync", directory);
  return absl::OkStatus();
}

class PosixFile final : public File {
 public:
  PosixFile(FileDescriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  absl::Status WriteAt(uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = Retry([&] {
        return pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      });
      if (written < 0) return Failed(errno, "write", path_);
      if (written == 0) return Failed(EIO, "write", path_);
      offset += static_cast<uint64_t>(written);
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    if (Retry([&] { return fdatasync(fd_.get()); }) != 0) return Failed(errno, "sync", path_);
    return absl::OkStatus();
  }

  absl::Status Truncate(uint64_t size) override {
    if (Retry([&] { return ftruncate(fd_.get(), static_cast<off_t>(size)); }) != 0) {
      return Failed(errno, "truncate", path_);
    }
    return absl::OkStatus();
  }

  absl::Status Allocate(uint64_t size) override {
    const absl::StatusOr<uint64_t> now = Size();
    if (!now.ok()) return now.status();
    if (size <= *now) return absl::OkStatus();
    if (Retry([&] { return fallocate(fd_.get(), 0, 0, static_cast<off_t>(size)); }) == 0) {
      return absl::OkStatus();
    }
    if (errno != EOPNOTSUPP && errno != ENOSYS) return Failed(errno, "allocate", path_);
    // The file system cannot reserve blocks: write them.
    const std::string zeros(std::min<uint64_t>(size - *now, 1 << 20), '\0');
    for (uint64_t at = *now; at < size; at += zeros.size()) {
      const std::string_view part =
          std::string_view(zeros).substr(0, std::min<uint64_t>(zeros.size(), size - at));
      if (absl::Status wrote = WriteAt(at, part); !wrote.ok()) return wrote;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> Size() const override {
    struct stat info {};
    if (fstat(fd_.get(), &info) != 0) return Failed(errno, "look at", path_);
    return static_cast<uint64_t>(info.st_size);
  }

 private:
  const FileDescriptor fd_;
  const std::string path_;
};

// flock() belongs to the open file, so it also keeps two users inside one process apart, and the
// kernel releases it however the process ends.
class PosixLock final : public FileLock {
 public:
  explicit PosixLock(FileDescriptor fd) : fd_(std::move(fd)) {}

 private:
  const FileDescriptor fd_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<File>> PosixFileSystem::Open(const std::string& path, bool create) {
  absl::StatusOr<FileDescriptor> fd = OpenDescriptor(path, O_RDWR | (create ? O_CREAT : 0));
  if (!fd.ok()) return fd.status();
  return std::make_unique<PosixFile>(std::move(*fd), path);
}

absl::StatusOr<std::string> PosixFileSystem::ReadAll(const std::string& path) {
  absl::StatusOr<FileDescriptor> fd = OpenDescriptor(path, O_RDONLY);
  if (!fd.ok()) return fd.status();
  struct stat info {};
  if (fstat(fd->get(), &info) != 0) return Failed(errno, "look at", path);
  std::string bytes;
  bytes.resize(static_cast<size_t>(info.st_size));
  size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = Retry([&] {
      return pread(fd->get(), bytes.data() + have, bytes.size() - have, static_cast<off_t>(have));
    });
    if (got < 0) {
      const int error = errno;
      const absl::Status failed = Failed(error, "read", path);
      // A block that the disk cannot read any more is damage like a wrong checksum.
      return error == EIO ? absl::DataLossError(failed.message()) : failed;
    }
    if (got == 0) break;
    have += static_cast<size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

absl::Status PosixFileSystem::Rename(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) return Failed(errno, "rename", from);
  return absl::OkStatus();
}

absl::Status PosixFileSystem::Remove(const std::string& path) {
  if (unlink(path.c_str()) != 0) return Failed(errno, "remove", path);
  return absl::OkStatus();
}

absl::Status PosixFileSystem::MakeDirectory(const std::string& path) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (mkdir(part.c_str(), 0755) == 0) {
      const size_t slash = part.rfind('/');
      const std::string parent = slash == std::string::npos ? "."
                                 : slash == 0               ? "/"
                                                            : part.substr(0, slash);
      if (absl::Status synced = SyncPath(parent); !synced.ok()) return synced;
    } else if (errno != EEXIST) {
      return Failed(errno, "make folder", part);
    }
    if (end == std::string::npos) break;
  }
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return Failed(errno, "look at", path);
  if (!S_ISDIR(info.st_mode)) return Failed(ENOTDIR, "make folder", path);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> PosixFileSystem::List(const std::string& directory) {
  DIR* const stream = opendir(directory.c_str());
  if (stream == nullptr) return Failed(errno, "list", directory);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(stream)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  const int error = errno;
  closedir(stream);
  if (error != 0) return Failed(error, "list", directory);
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status PosixFileSystem::SyncDirectory(const std::string& directory) {
  return SyncPath(directory);
}

absl::StatusOr<std::unique_ptr<FileLock>> PosixFileSystem::Lock(const std::string& path) {
  absl::StatusOr<FileDescriptor> fd = OpenDescriptor(path, O_RDWR | O_CREAT);
  if (!fd.ok()) return fd.status();
  if (Retry([&] { return flock(fd->get(), LOCK_EX | LOCK_NB); }) != 0) {
    if (errno != EWOULDBLOCK) return Failed(errno, "lock", path);
    return absl::FailedPreconditionError(fmt::format("{} is locked by another process", path));
  }
  return std::make_unique<PosixLock>(std::move(*fd));
}

}  // namespace bank::storage
