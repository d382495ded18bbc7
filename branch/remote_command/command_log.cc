#include "branch/remote_command/command_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/crc32c.h"

namespace bank::remote_command {
namespace {

using telemetry::AuditRecord;
using telemetry::CommandOutcome;

constexpr std::string_view kFileName = "log";
constexpr std::string_view kDamagedName = "log.damaged";
constexpr std::string_view kTemporaryName = "log.tmp";
constexpr size_t kChecksumDigits = 8;

constexpr std::pair<CommandOutcome, std::string_view> kOutcomes[] = {
    {CommandOutcome::kUnknown, "unknown"},     {CommandOutcome::kDone, "done"},
    {CommandOutcome::kFailed, "failed"},       {CommandOutcome::kRefused, "refused"},
    {CommandOutcome::kCancelled, "cancelled"}, {CommandOutcome::kTimedOut, "timed_out"},
};

bool ReadText(const nlohmann::json& json, const char* key, std::string* value) {
  const auto it = json.find(key);
  if (it == json.end() || !it->is_string()) return false;
  *value = it->get<std::string>();
  return true;
}

bool ReadNumber(const nlohmann::json& json, const char* key, int64_t* value) {
  const auto it = json.find(key);
  if (it == json.end() || !it->is_number_integer()) return false;
  *value = it->get<int64_t>();
  return true;
}

}  // namespace

std::string_view OutcomeName(CommandOutcome outcome) {
  for (const auto& [value, name] : kOutcomes) {
    if (value == outcome) return name;
  }
  return "unknown";
}

std::string EncodeLine(const AuditRecord& record) {
  const nlohmann::ordered_json json = {{"id", record.id},
                                       {"agent", record.agent},
                                       {"issuer", record.issuer},
                                       {"command", record.command},
                                       {"issued", record.issued_unix_ns},
                                       {"started", record.started_unix_ns},
                                       {"ended", record.ended_unix_ns},
                                       {"outcome", OutcomeName(record.outcome)},
                                       {"exit_status", record.exit_status},
                                       {"message", record.message}};
  // A name in another encoding than UTF-8 is no reason to lose the record.
  const std::string text =
      json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  return fmt::format("{:08x} {}\n", Crc32c(text), text);
}

std::optional<AuditRecord> DecodeLine(std::string_view line) {
  if (line.size() <= kChecksumDigits || line[kChecksumDigits] != ' ') return std::nullopt;
  const std::string_view text = line.substr(kChecksumDigits + 1);
  if (fmt::format("{:08x}", Crc32c(text)) != line.substr(0, kChecksumDigits)) return std::nullopt;
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  AuditRecord record;
  std::string outcome;
  int64_t exit_status = 0;
  const bool whole =
      ReadText(json, "id", &record.id) && ReadText(json, "agent", &record.agent) &&
      ReadText(json, "issuer", &record.issuer) && ReadText(json, "command", &record.command) &&
      ReadNumber(json, "issued", &record.issued_unix_ns) &&
      ReadNumber(json, "started", &record.started_unix_ns) &&
      ReadNumber(json, "ended", &record.ended_unix_ns) && ReadText(json, "outcome", &outcome) &&
      ReadNumber(json, "exit_status", &exit_status) && ReadText(json, "message", &record.message);
  if (!whole) return std::nullopt;
  record.exit_status = static_cast<int>(exit_status);
  for (const auto& [value, name] : kOutcomes) {
    if (name == outcome) record.outcome = value;
  }
  return record;
}

CommandLog::CommandLog(storage::FileSystem& files, std::string folder, CommandLogOptions options,
                       std::vector<std::string>* notes)
    : files_(files), folder_(std::move(folder)), options_(options) {
  absl::MutexLock lock(&mutex_);
  Load(notes);
  if (!broken_.ok()) {
    notes->push_back(fmt::format("commands will be refused: {}", broken_.ToString()));
  }
}

std::string CommandLog::PathOf(std::string_view name) const {
  return fmt::format("{}/{}", folder_, name);
}

void CommandLog::Load(std::vector<std::string>* notes) {
  if (broken_ = files_.MakeDirectory(folder_); !broken_.ok()) return;
  const std::string path = PathOf(kFileName);
  const absl::StatusOr<std::string> bytes = files_.ReadAll(path);
  if (!bytes.ok() && !absl::IsNotFound(bytes.status())) {
    broken_ = bytes.status();
    return;
  }
  size_t damaged = 0;
  for (std::string_view rest = bytes.ok() ? *bytes : std::string_view(); !rest.empty();) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const auto record = DecodeLine(rest.substr(0, end));
    // A line without its newline was never acknowledged, whatever it says.
    if (record && end < rest.size()) {
      Remember(*record);
    } else {
      ++damaged;
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (damaged > 0) {
    notes->push_back(fmt::format("{}: {} damaged lines were skipped; the file is kept as {}", path,
                                 damaged, kDamagedName));
    if (broken_ = files_.Rename(path, PathOf(kDamagedName)); !broken_.ok()) return;
  }
  broken_ = Rewrite();
}

void CommandLog::Remember(const AuditRecord& record) {
  const bool refused = record.id.find('#') != std::string::npos;
  Records& records = refused ? refused_ : begun_;
  const auto [it, is_new] = order_of_.try_emplace({record.id, record.agent}, next_order_);
  if (is_new) ++next_order_;
  records[it->second] = record;
  Forget(&records, refused ? options_.refused_max : options_.records_max);
}

void CommandLog::Forget(Records* records, size_t count_max) {
  while (records->size() > count_max) {
    const AuditRecord& oldest = records->begin()->second;
    order_of_.erase({oldest.id, oldest.agent});
    records->erase(records->begin());
  }
}

std::optional<AuditRecord> CommandLog::Find(std::string_view id, std::string_view agent) const {
  absl::MutexLock lock(&mutex_);
  const auto it = order_of_.find({std::string(id), std::string(agent)});
  if (it == order_of_.end()) return std::nullopt;
  const auto record = begun_.find(it->second);
  return record == begun_.end() ? std::nullopt : std::optional(record->second);
}

absl::Status CommandLog::Begin(const AuditRecord& record) {
  absl::MutexLock lock(&mutex_);
  if (order_of_.contains({record.id, record.agent})) {
    return absl::AlreadyExistsError(fmt::format("the id {} is known", record.id));
  }
  // Remembered only if it is durable: what is not begun is not known.
  if (absl::Status written = Append(record); !written.ok()) return written;
  Remember(record);
  return absl::OkStatus();
}

absl::Status CommandLog::End(const AuditRecord& record) {
  absl::MutexLock lock(&mutex_);
  Remember(record);
  return Append(record);
}

AuditRecord CommandLog::Refuse(AuditRecord record) {
  absl::MutexLock lock(&mutex_);
  const std::string id = record.id;
  int number = 1;
  do {
    record.id = fmt::format("{}#{}", id, number++);
  } while (order_of_.contains({record.id, record.agent}));
  Remember(record);
  // That a refusal may not survive a broken disk does no harm: nothing ran.
  Append(record).IgnoreError();
  return record;
}

std::vector<AuditRecord> CommandLog::Newest(size_t limit) const {
  absl::MutexLock lock(&mutex_);
  Records all = begun_;
  all.insert(refused_.begin(), refused_.end());
  std::vector<AuditRecord> newest;
  size_t skip = all.size() - std::min(limit, all.size());
  for (auto& [order, record] : all) {
    if (skip > 0) {
      --skip;
    } else {
      newest.push_back(std::move(record));
    }
  }
  return newest;
}

absl::Status CommandLog::Append(const AuditRecord& record) {
  // After an error nothing is known of the file's end: it is written anew.
  if (file_ == nullptr) {
    if (broken_ = Rewrite(); !broken_.ok()) return broken_;
  }
  const std::string line = EncodeLine(record);
  absl::Status written = file_->WriteAt(size_, line);
  if (written.ok()) written = file_->Sync();
  if (!written.ok()) {
    file_ = nullptr;
    return written;
  }
  size_ += line.size();
  if (size_ < options_.file_bytes_min || size_ < 2 * size_compact_) return absl::OkStatus();
  // What was asked for is durable; if this fails, the next one tries again.
  Rewrite().IgnoreError();
  return absl::OkStatus();
}

absl::Status CommandLog::Rewrite() {
  file_ = nullptr;
  Records all = begun_;
  all.insert(refused_.begin(), refused_.end());
  std::string bytes;
  for (const auto& [order, record] : all) bytes += EncodeLine(record);
  auto file = files_.Open(PathOf(kTemporaryName), /*create=*/true);
  if (!file.ok()) return file.status();
  if (absl::Status done = (*file)->Truncate(0); !done.ok()) return done;
  if (absl::Status done = (*file)->WriteAt(0, bytes); !done.ok()) return done;
  if (absl::Status done = (*file)->Sync(); !done.ok()) return done;
  if (absl::Status done = files_.Rename(PathOf(kTemporaryName), PathOf(kFileName)); !done.ok()) {
    return done;
  }
  if (absl::Status done = files_.SyncDirectory(folder_); !done.ok()) return done;
  file_ = *std::move(file);
  size_ = size_compact_ = bytes.size();
  return absl::OkStatus();
}

}  // namespace bank::remote_command
