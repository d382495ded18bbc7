#include "branch/storage/folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "branch/storage/damage.h"
#include "branch/storage/file_name.h"
#include "branch/storage/log.h"
#include "branch/storage/log_format.h"
#include "branch/storage/snapshot_file.h"
#include "branch/storage/vote_file.h"
#include "common/bytes.h"
#include "common/crc32c.h"

namespace bank::storage {
namespace {

constexpr std::string_view kIdentityMagic = "BANKIDN1";
constexpr std::string_view kDamagedPrefix = "damaged-";

std::string EncodeIdentity(const Identity& identity) {
  std::string bytes(kIdentityMagic);
  ByteWriter out(&bytes);
  out.U64(identity.bank);
  out.U64(identity.branch.value);
  out.U32(Crc32c(bytes));
  return bytes;
}

bool Contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

Folder::Folder(FileSystem& fs, std::string path, const Identity& identity,
               const LogOptions& options)
    : fs_(fs), path_(std::move(path)), identity_(identity), options_(options) {}

std::string Folder::PathOf(std::string_view name) const {
  return fmt::format("{}/{}", path_, name);
}

absl::Status Folder::CheckIdentity() const {
  const std::string path = PathOf(kIdentityName);
  const absl::StatusOr<std::string> bytes = fs_.ReadAll(path);
  if (absl::IsNotFound(bytes.status())) {
    return Damage(path, 0, "the file is missing in a folder that is in use");
  }
  if (!bytes.ok()) return bytes.status();
  if (*bytes == EncodeIdentity(identity_)) return absl::OkStatus();
  ByteReader in(*bytes);
  in.Raw(kIdentityMagic.size());
  const uint64_t bank = in.U64();
  const BranchId branch{in.U64()};
  if (!in.ok() || *bytes != EncodeIdentity({bank, branch})) {
    return Damage(path, 0, "the identity is damaged");
  }
  return absl::FailedPreconditionError(
      fmt::format("data folder {} belongs to branch {} of bank {}, not to branch {} of bank {}",
                  path_, branch.value, bank, identity_.branch.value, identity_.bank));
}

absl::Status Folder::WriteIdentity() {
  const std::string temporary = fmt::format("{}{}", PathOf(kIdentityName), kTemporarySuffix);
  {
    absl::StatusOr<std::unique_ptr<File>> file = fs_.Open(temporary, /*create=*/true);
    if (!file.ok()) return file.status();
    absl::Status wrote = (*file)->WriteAt(0, EncodeIdentity(identity_));
    if (!wrote.ok()) return wrote;
    if (absl::Status synced = (*file)->Sync(); !synced.ok()) return synced;
  }
  absl::Status renamed = fs_.Rename(temporary, PathOf(kIdentityName));
  if (!renamed.ok()) return renamed;
  return fs_.SyncDirectory(path_);
}

// Whether all there is can be the rest of an unfinished making of this folder, which writes the
// identity last.
absl::StatusOr<bool> Folder::NeverUsed(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const uint64_t segment = ParseSegmentName(name);
    if (segment > 1 || ParseSnapshotName(name) || name.starts_with(kDamagedPrefix)) {
      return false;
    }
    if (segment != 1 && name != kVoteName) continue;
    const absl::StatusOr<std::string> bytes = fs_.ReadAll(PathOf(name));
    if (!bytes.ok()) return bytes.status();
    if (bytes->find_first_not_of('\0') == std::string::npos) continue;
    if (segment == 1) {
      const absl::StatusOr<SegmentContent> content =
          DecodeSegment(identity_, segment, *bytes, PathOf(name));
      if (!content.ok() || content->touched_end > kSectorBytes) return false;
    } else {
      std::vector<std::string> notes;
      const absl::StatusOr<Promises> promises = VoteFile(fs_, PathOf(name), identity_).Load(&notes);
      if (!promises.ok() && !absl::IsDataLoss(promises.status())) return promises.status();
      if (!promises.ok() || *promises != Promises()) return false;
    }
  }
  return true;
}

absl::Status Folder::Prepare(std::vector<std::string>* notes) {
  const absl::StatusOr<std::vector<std::string>> names = fs_.List(path_);
  if (!names.ok()) return names.status();
  if (!Contains(*names, kIdentityName)) {
    const absl::StatusOr<bool> unused = NeverUsed(*names);
    if (!unused.ok()) return unused.status();
    if (!*unused) return CheckIdentity();
    if (absl::Status made = Log(fs_, path_, identity_, options_).Create(); !made.ok()) return made;
    absl::Status made = VoteFile(fs_, PathOf(kVoteName), identity_).Create({});
    if (!made.ok()) return made;
    if (absl::Status synced = fs_.SyncDirectory(path_); !synced.ok()) return synced;
    return WriteIdentity();
  }
  if (absl::Status checked = CheckIdentity(); !checked.ok()) return checked;
  VoteFile vote(fs_, PathOf(kVoteName), identity_);
  const absl::StatusOr<Promises> promises = vote.Load(notes);
  if (!promises.ok()) return promises.status();
  // Before anything is done because of them: they may have been in the page cache alone.
  if (absl::Status written = vote.Refresh(); !written.ok()) return written;
  if (promises->phase != RebuildPhase::kSettingAside) return absl::OkStatus();
  const absl::StatusOr<std::string> aside = MakeDamagedFolder(*names);
  if (!aside.ok()) return aside.status();
  return MoveAndBegin(*aside);
}

absl::StatusOr<std::string> Folder::MakeDamagedFolder(const std::vector<std::string>& names) {
  uint64_t number = 0;
  for (const std::string& name : names) {
    if (!name.starts_with(kDamagedPrefix)) continue;
    number = std::max(
        number, ParsePadded(std::string_view(name).substr(kDamagedPrefix.size())).value_or(0));
  }
  const std::string path = PathOf(fmt::format("{}{}", kDamagedPrefix, number + 1));
  if (absl::Status made = fs_.MakeDirectory(path); !made.ok()) return made;
  return path;
}

absl::StatusOr<std::string> Folder::SetAside() {
  const absl::StatusOr<std::vector<std::string>> names = fs_.List(path_);
  if (!names.ok()) return names.status();
  absl::StatusOr<std::string> aside = MakeDamagedFolder(*names);
  if (!aside.ok()) return aside;
  VoteFile vote(fs_, PathOf(kVoteName), identity_);
  std::vector<std::string> notes;
  const absl::StatusOr<Promises> promises = vote.Load(&notes);
  if (promises.ok()) {
    // From here on the rest of the folder means nothing, even if the power goes.
    absl::Status begun = vote.SetPhase(RebuildPhase::kSettingAside);
    if (!begun.ok()) return begun;
  } else if (!absl::IsDataLoss(promises.status())) {
    return promises.status();
  } else {
    if (Contains(*names, kVoteName)) {
      absl::Status moved = fs_.Rename(PathOf(kVoteName), fmt::format("{}/{}", *aside, kVoteName));
      if (!moved.ok()) return moved;
      if (absl::Status synced = fs_.SyncDirectory(*aside); !synced.ok()) return synced;
    }
    absl::Status made =
        vote.Create({.hard_state = {}, .vote_floor = {}, .phase = RebuildPhase::kSettingAside});
    if (!made.ok()) return made;
    if (absl::Status synced = fs_.SyncDirectory(path_); !synced.ok()) return synced;
  }
  if (absl::Status moved = MoveAndBegin(*aside); !moved.ok()) return moved;
  return aside;
}

absl::Status Folder::MoveAndBegin(const std::string& aside) {
  const absl::StatusOr<std::vector<std::string>> names = fs_.List(path_);
  if (!names.ok()) return names.status();
  const bool known = CheckIdentity().ok();
  for (const std::string& name : *names) {
    const bool belongs = ParseSegmentName(name) != 0 || ParseSnapshotName(name) ||
                         name == kMarkName || (name == kIdentityName && !known);
    if (!belongs) continue;
    absl::Status moved = fs_.Rename(PathOf(name), fmt::format("{}/{}", aside, name));
    if (!moved.ok()) return moved;
  }
  if (absl::Status synced = fs_.SyncDirectory(aside); !synced.ok()) return synced;
  if (absl::Status synced = fs_.SyncDirectory(path_); !synced.ok()) return synced;
  if (absl::Status made = Log(fs_, path_, identity_, options_).Create(); !made.ok()) return made;
  if (absl::Status synced = fs_.SyncDirectory(path_); !synced.ok()) return synced;
  if (!known) {
    if (absl::Status wrote = WriteIdentity(); !wrote.ok()) return wrote;
  }
  std::vector<std::string> notes;
  VoteFile vote(fs_, PathOf(kVoteName), identity_);
  if (const absl::StatusOr<Promises> read = vote.Load(&notes); !read.ok()) return read.status();
  return vote.SetPhase(RebuildPhase::kWaiting);
}

}  // namespace bank::storage
