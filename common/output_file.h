// The files that people name for our output: answers, histories, digests, reports.
//
// A name may stand for anything, and root may overwrite all of it. So what it stands for is found
// out first, before any work whose result would be lost (FindOutput), and then:
//   - a regular file, or none yet: symbolic links are followed; the new content is written beside
//     the file they end at, synced and renamed, so that it is the old or the new one, whole, at all
//     times. It keeps its mode. A file with several names (hard links), one of another owner, or
//     one in a folder that takes no new files is rewritten in place.
//   - a FIFO, a terminal, /dev/null, what standard output or error goes to: written through, as the
//     shell's `>` does. Opening a FIFO waits for its reader.
//   - a folder, a disk, a socket, a file that is one of our inputs: refused.
// "-" is standard output.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bank {

// A descriptor, closed at the end of its scope.
class FileDescriptor {
 public:
  explicit FileDescriptor(int number = -1) : number_(number) {}
  ~FileDescriptor() { Close(); }
  FileDescriptor(FileDescriptor&& other) noexcept : number_(other.Release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;

  int get() const { return number_; }
  bool open() const { return number_ >= 0; }
  int Release();
  bool Close();  // false with errno if what was written may be lost

 private:
  int number_;
};

// Writes all of it, whatever the number of calls that needs.
absl::Status WriteAll(int descriptor, std::string_view content);

// Where output is to go. Nothing has been changed there yet.
class OutputPlace {
 public:
  const std::string& name() const { return name_; }  // as it was given
  // The regular file behind the name, without symbolic links; "" if it stands for something else.
  const std::string& file() const { return file_; }

 private:
  friend absl::StatusOr<OutputPlace> FindOutput(const std::string&,
                                                const std::vector<std::string>&);
  friend class OutputFile;

  std::string name_;
  std::string file_;
  bool in_place_ = false;   // rewritten, not replaced
  FileDescriptor through_;  // open if it is written through
};

// What `name` stands for, and whether it can be written. `others`: the names of what is read, and
// of other outputs, none of which it may be; those that do not exist are compared by name. "" and
// "-" among them are nothing. Errors are one line that begins with `name`: InvalidArgument for a
// name that will not do, NotFound, PermissionDenied and others as the file system says.
absl::StatusOr<OutputPlace> FindOutput(const std::string& name,
                                       const std::vector<std::string>& others);

// Whether FindOutput would find it, for a process that will not write there: a FIFO is not opened.
absl::Status CheckOutput(const std::string& name, const std::vector<std::string>& others);

// The output itself, on its way to its place. Not thread-safe.
class OutputFile {
 public:
  enum class Mode {
    kWhole,      // the place is as it was until Commit()
    kAsItComes,  // emptied at once and then written in place: what was appended is there at once
  };
  static absl::StatusOr<OutputFile> Begin(OutputPlace place, Mode mode);
  // Without Commit() a whole output never was.
  ~OutputFile();
  OutputFile(OutputFile&&) = default;
  OutputFile& operator=(OutputFile&&) = delete;

  absl::Status Append(std::string_view content);
  // Nothing may be appended afterwards.
  absl::Status Commit();

 private:
  explicit OutputFile(OutputPlace place) : place_(std::move(place)) {}
  absl::Status Error(int error, std::string_view what) const;
  absl::Status CopyInPlace();

  OutputPlace place_;
  std::string temporary_;  // the file beside the place's; "": none
  FileDescriptor open_;
};

// All of it at once.
absl::Status WriteOutput(OutputPlace place, std::string_view content);

}  // namespace bank
