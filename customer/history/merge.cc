#include "customer/history/merge.h"

#include <charconv>
#include <fstream>
#include <memory>
#include <queue>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"

namespace bank::history {
namespace {

// A part and its next line.
class Part {
 public:
  explicit Part(const std::string& path) : path_(path), file_(path, std::ios::binary) {
    std::getline(file_, line_);  // the header
  }

  bool opened() const { return file_.is_open(); }
  const std::string& path() const { return path_; }
  const std::string& line() const { return line_; }
  int64_t ns() const { return ns_; }

  // False at the end, and on a line without a stamp: then malformed().
  bool Next() {
    if (!std::getline(file_, line_) || file_.eof()) return false;
    constexpr std::string_view kKey = "\"ns\":";
    const size_t at = line_.rfind(kKey);
    if (at != std::string::npos) {
      const char* end = line_.data() + line_.size();
      const auto parsed = std::from_chars(line_.data() + at + kKey.size(), end, ns_);
      if (parsed.ec == std::errc()) return true;
    }
    malformed_ = true;
    return false;
  }
  bool malformed() const { return malformed_; }

 private:
  const std::string path_;
  std::ifstream file_;
  std::string line_;
  int64_t ns_ = 0;
  bool malformed_ = false;
};

}  // namespace

absl::Status Merge(const Header& header, const std::vector<std::string>& parts, OutputPlace place) {
  constexpr size_t kBufferBytesMax = 1 << 16;
  std::vector<std::unique_ptr<Part>> open;
  using Turn = std::tuple<int64_t, size_t>;  // stamp, number of the part
  std::priority_queue<Turn, std::vector<Turn>, std::greater<>> turns;
  auto advance = [&](size_t number) -> absl::Status {
    Part& part = *open[number];
    if (part.Next()) turns.emplace(part.ns(), number);
    if (!part.malformed()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(part.path(), ": a line without \"ns\""));
  };
  for (const std::string& name : parts) {
    open.push_back(std::make_unique<Part>(name));
    if (!open.back()->opened()) return absl::NotFoundError(absl::StrCat(name, ": cannot be read"));
    if (absl::Status status = advance(open.size() - 1); !status.ok()) return status;
  }
  auto out = OutputFile::Begin(std::move(place), OutputFile::Mode::kWhole);
  if (!out.ok()) return out.status();
  std::string buffer;
  AppendHeader(header, &buffer);
  while (!turns.empty()) {
    const size_t number = std::get<1>(turns.top());
    turns.pop();
    absl::StrAppend(&buffer, open[number]->line(), "\n");
    if (buffer.size() >= kBufferBytesMax) {
      if (absl::Status status = out->Append(buffer); !status.ok()) return status;
      buffer.clear();
    }
    if (absl::Status status = advance(number); !status.ok()) return status;
  }
  if (absl::Status status = out->Append(buffer); !status.ok()) return status;
  return out->Commit();
}

}  // namespace bank::history
