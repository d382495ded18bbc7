// Goal: what was begun is never forgotten by a crash, and nothing on the disk keeps a branch from
// starting. Method: the simulated disk of tests/support.
#include "branch/remote_command/command_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "branch/storage/storage.h"
#include "tests/support/sim_file_system.h"

namespace bank::remote_command {
namespace {

using telemetry::AuditRecord;
using telemetry::CommandOutcome;
using testing::HasSubstr;

constexpr const char* kFolder = "/data/commands";
constexpr const char* kFile = "/data/commands/log";

AuditRecord Begun(const std::string& id, const std::string& agent = "branch-1") {
  AuditRecord record;
  record.id = id;
  record.agent = agent;
  record.issuer = "alice";
  record.command = "top-accounts 5";
  record.issued_unix_ns = 100;
  record.started_unix_ns = 200;
  return record;
}

AuditRecord EndedWell(AuditRecord record) {
  record.ended_unix_ns = 300;
  record.outcome = CommandOutcome::kDone;
  record.message = "\"quoted\" and \xc3\xa4";
  return record;
}

class Log : public testing::Test {
 protected:
  std::unique_ptr<CommandLog> Open(CommandLogOptions options = {}) {
    notes_.clear();
    return std::make_unique<CommandLog>(files_, kFolder, options, &notes_);
  }

  sim::SimFileSystem files_{1};
  std::vector<std::string> notes_;
};

TEST_F(Log, ALineKeepsEveryField) {
  AuditRecord record = EndedWell(Begun("a"));
  record.outcome = CommandOutcome::kTimedOut;
  record.exit_status = 137;
  const std::string line = EncodeLine(record);
  ASSERT_EQ(line.back(), '\n');
  const auto back = DecodeLine(std::string_view(line).substr(0, line.size() - 1));
  ASSERT_TRUE(back);
  EXPECT_EQ(EncodeLine(*back), line);
  EXPECT_EQ(back->exit_status, 137);
  EXPECT_EQ(back->outcome, CommandOutcome::kTimedOut);
  for (size_t i = 0; i + 1 < line.size(); ++i) {
    std::string bad = line.substr(0, line.size() - 1);
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_FALSE(DecodeLine(bad)) << i;
  }
}

TEST_F(Log, WhatWasBegunIsKnownAfterAPowerLoss) {
  ASSERT_TRUE(Open()->Begin(Begun("a")).ok());
  files_.PowerLoss();
  auto log = Open();
  EXPECT_TRUE(notes_.empty());
  ASSERT_TRUE(log->Find("a", "branch-1"));
  EXPECT_EQ(log->Find("a", "branch-1")->ended_unix_ns, 0);
  EXPECT_FALSE(log->Find("a", "branch-2"));
  EXPECT_TRUE(absl::IsAlreadyExists(log->Begin(Begun("a"))));
  ASSERT_TRUE(log->End(EndedWell(Begun("a"))).ok());
  log = nullptr;
  files_.PowerLoss();
  EXPECT_EQ(Open()->Find("a", "branch-1")->outcome, CommandOutcome::kDone);
}

TEST_F(Log, ALineWithoutItsEndWasNeverAcknowledged) {
  ASSERT_TRUE(files_.MakeDirectory(kFolder).ok());
  const std::string line = EncodeLine(Begun("a"));
  ASSERT_TRUE((*files_.Open(kFile, /*create=*/true))
                  ->WriteAt(0, std::string_view(line).substr(0, line.size() - 1))
                  .ok());
  EXPECT_FALSE(Open()->Find("a", "branch-1"));
}

TEST_F(Log, NothingIsLeftOfALogThatWasNotNamed) {
  ASSERT_TRUE(files_.MakeDirectory(kFolder).ok());
  ASSERT_TRUE((*files_.Open(std::string(kFolder) + "/log.tmp", /*create=*/true))
                  ->WriteAt(0, std::string(10'000, 'x'))
                  .ok());
  Open();
  auto log = Open();
  EXPECT_TRUE(notes_.empty()) << notes_[0];
}

TEST_F(Log, NothingIsLeftOfALineThatFailed) {
  {
    auto log = Open();
    AuditRecord longer = Begun("longer");
    longer.message = std::string(500, 'm');
    files_.FailNext(sim::DiskCall::kSync, absl::UnknownError("Input/output error"));
    EXPECT_FALSE(log->Begin(longer).ok());
    EXPECT_TRUE(log->Begin(Begun("short")).ok());
  }
  auto log = Open();
  EXPECT_TRUE(notes_.empty()) << notes_[0];
  EXPECT_TRUE(log->Find("short", "branch-1"));
  EXPECT_FALSE(log->Find("longer", "branch-1"));
}

TEST_F(Log, DamagedLinesAreSkippedAndKeptAside) {
  {
    auto log = Open();
    for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(log->Begin(Begun(id)).ok());
  }
  std::string bytes = *files_.ReadAll(kFile);
  bytes[bytes.find("\"b\"") + 1] = 'x';
  bytes += "torn li";
  ASSERT_TRUE((*files_.Open(kFile, false))->WriteAt(0, bytes).ok());
  auto log = Open();
  ASSERT_EQ(notes_.size(), 1u);
  EXPECT_THAT(notes_[0], HasSubstr("2 damaged lines were skipped"));
  EXPECT_TRUE(log->Find("a", "branch-1"));
  EXPECT_FALSE(log->Find("b", "branch-1"));
  EXPECT_TRUE(log->Find("c", "branch-1"));
  EXPECT_TRUE(log->Begin(Begun("d")).ok());
  EXPECT_EQ(*files_.ReadAll(std::string(kFolder) + "/log.damaged"), bytes);
  log = Open();
  EXPECT_TRUE(notes_.empty());
  EXPECT_TRUE(log->Find("d", "branch-1"));
}

TEST_F(Log, AnyBytesAtAllLetTheBranchStart) {
  ASSERT_TRUE(files_.MakeDirectory(kFolder).ok());
  std::string bytes;
  for (int i = 0; i < 3000; ++i) bytes.push_back(static_cast<char>(i * 37));
  ASSERT_TRUE((*files_.Open(kFile, true))->WriteAt(0, bytes).ok());
  EXPECT_TRUE(Open()->Begin(Begun("a")).ok());
}

TEST_F(Log, ItStaysSmallAndKeepsTheNewest) {
  const CommandLogOptions options{.records_max = 20, .refused_max = 5, .file_bytes_min = 4096};
  {
    auto log = Open(options);
    for (int i = 0; i < 500; ++i) {
      const std::string id = "id-" + std::to_string(i);
      ASSERT_TRUE(log->Begin(Begun(id)).ok());
      ASSERT_TRUE(log->End(EndedWell(Begun(id))).ok());
      log->Refuse(Begun("refused"));
    }
    EXPECT_EQ(log->Newest(1000).size(), 25u);
  }
  EXPECT_LT(files_.ReadAll(kFile)->size(), 25'000u);
  auto log = Open(options);
  EXPECT_FALSE(log->Find("id-479", "branch-1"));
  EXPECT_TRUE(log->Find("id-480", "branch-1"));
  const auto newest = log->Newest(3);
  ASSERT_EQ(newest.size(), 3u);
  EXPECT_EQ(log->Newest(1)[0].id.substr(0, 7), "refused");
}

TEST_F(Log, ARefusalDoesNotTakeTheId) {
  auto log = Open();
  EXPECT_EQ(log->Refuse(Begun("a")).id, "a#1");
  EXPECT_EQ(log->Refuse(Begun("a")).id, "a#2");
  EXPECT_FALSE(log->Find("a", "branch-1"));
  EXPECT_FALSE(log->Find("a#1", "branch-1")) << "no command can have such an id";
  EXPECT_TRUE(log->Begin(Begun("a")).ok());
  EXPECT_EQ(Open()->Newest(10).size(), 3u);
}

TEST_F(Log, ADiskThatFailsLetsNothingBegin) {
  auto log = Open();
  ASSERT_TRUE(log->Begin(Begun("a")).ok());
  files_.FailNext(sim::DiskCall::kSync, absl::DataLossError("the disk is broken"));
  EXPECT_FALSE(log->Begin(Begun("b")).ok());
  EXPECT_FALSE(log->Find("b", "branch-1"));
  // It comes back: the file is written anew, without what may be left of "b".
  EXPECT_TRUE(log->Begin(Begun("c")).ok());
  log = nullptr;
  files_.PowerLoss();
  log = Open();
  EXPECT_TRUE(log->Find("a", "branch-1"));
  EXPECT_TRUE(log->Find("c", "branch-1"));
}

TEST_F(Log, TheDataFolderIsTakenWithItsSubfolderInIt) {
  ASSERT_TRUE(Open()->Begin(Begun("a")).ok());
  const storage::Identity identity{.bank = 7, .branch = BranchId(1)};
  {
    auto opened = storage::OpenStorage(files_, "/data", identity, {}, storage::OnDamage::kRefuse);
    ASSERT_TRUE(opened.ok()) << opened.status();
  }
  auto again = storage::OpenStorage(files_, "/data", identity, {}, storage::OnDamage::kRefuse);
  EXPECT_TRUE(again.ok()) << again.status();
}

}  // namespace
}  // namespace bank::remote_command
