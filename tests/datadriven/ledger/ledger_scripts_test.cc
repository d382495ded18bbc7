// Scenarios of the ledger as readable scripts: tests/datadriven/ledger/*.txt.
//
// Goal: every script shows, for one subject, what is asked and what is answered; a change of
// behaviour shows as a diff of recorded text. Method: a script is a row of blocks: lines of
// commands, a line `----`, one line of output per line of command, an empty line. Lines that begin
// with `#` are comments. Each script gets a fresh ledger. `ledger_scripts --rewrite` records what
// the ledger answers now; the diff is to be reviewed like code.
//
//   limits NAME=N ...              a fresh ledger (accounts, sessions, window, idle_ms, remembered)
//   time MS                        the bank's time from here on
//   session                        open a session
//   open|deposit|withdraw KEY ACCOUNT AMOUNT
//   transfer KEY FROM TO AMOUNT
//   query ACCOUNT
//   resolve KEY
//   state                          summary with both digests
//   restart                        snapshot, restore, compare; goes on with the restored ledger
//   snapshot                       the snapshot's bytes in hexadecimal
// KEY is SESSION/SEQUENCE or SESSION/SEQUENCE<ANSWERED_BELOW; `-` is none.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "branch/ledger/ledger.h"
#include "tests/datadriven/recorded_scripts.h"

namespace bank::ledger {
namespace {

uint64_t Number(const std::string& text) { return std::stoull(text); }

void ParseKey(const std::string& key, Command* command) {
  if (key == "-") return;
  const size_t slash = key.find('/');
  const size_t less = key.find('<');
  command->session = SessionId(Number(key.substr(0, slash)));
  command->sequence = Number(key.substr(slash + 1, less - slash - 1));
  command->answered_below = less == std::string::npos ? 1 : Number(key.substr(less + 1));
}

class Script {
 public:
  // The line of output for one line of command.
  std::string Run(const std::string& line) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    const std::string& verb = words.at(0);
    if (verb == "limits") return Limit(words);
    if (verb == "time") {
      time_ms_ = std::stoll(words.at(1));
      return "ok";
    }
    if (verb == "rules") {
      rules_ = static_cast<Rules>(Number(words.at(1)));
      return "ok";
    }
    if (verb == "state") return State();
    if (verb == "restart") return Restart();
    if (verb == "snapshot") return absl::BytesToHexString(ledger_.Freeze().Encode());
    return Apply(words);
  }

 private:
  std::string Limit(const std::vector<std::string>& words) {
    Limits limits;
    for (size_t i = 1; i < words.size(); ++i) {
      const size_t equals = words[i].find('=');
      const std::string name = words[i].substr(0, equals);
      const uint64_t value = Number(words[i].substr(equals + 1));
      if (name == "accounts") limits.accounts_max = value;
      if (name == "sessions") limits.sessions_max = value;
      if (name == "remembered") limits.remembered_max = value;
      if (name == "window") limits.session_window_max = value;
      if (name == "only_idle_ms") limits.only_session_idle_ms_min = static_cast<int64_t>(value);
      if (name == "idle_ms") limits.session_idle_ms_max = static_cast<int64_t>(value);
    }
    ledger_ = Ledger(limits);
    return "ok";
  }

  std::string Apply(const std::vector<std::string>& words) {
    static const std::vector<std::string> kVerbs = {"",         "open",  "deposit", "withdraw",
                                                    "transfer", "query", "session", "resolve"};
    Command command;
    for (size_t kind = 1; kind < kVerbs.size(); ++kind) {
      if (words[0] == kVerbs[kind]) command.kind = static_cast<Kind>(kind);
    }
    size_t next = 1;
    if (command.kind != Kind::kQuery && command.kind != Kind::kOpenSession) {
      ParseKey(words.at(next++), &command);
    }
    if (command.kind != Kind::kResolve && command.kind != Kind::kOpenSession) {
      command.account = words.at(next++);
    }
    if (command.kind == Kind::kTransfer) command.to = words.at(next++);
    if (command.kind == Kind::kOpenSession && words.size() > 2) {
      command.session = SessionId(Number(words.at(next++)));
      command.sequence = Number(words.at(next++));
    }
    if (next < words.size()) command.amount = std::stoll(words.at(next++));

    std::string batch;
    AppendCommand(command, &batch);
    std::vector<Outcome> outcomes;
    const absl::Status status = ledger_.Apply(EncodeEntry({time_ms_, 1, rules_}, batch), &outcomes);
    if (!status.ok()) return std::string(status.message());
    const Outcome& outcome = outcomes.at(0);
    return absl::StrCat(std::string(CodeName(outcome.code)), " position ", outcome.position.value,
                        " balance ", outcome.balance, outcome.replayed ? " replayed" : "");
  }

  std::string State() const {
    const Summary s = ledger_.summary();
    return absl::StrCat("position ", s.position.value, " time ", s.time_ms, " accounts ",
                        s.accounts, " sessions ", s.sessions, " total ", s.balance_total, " state ",
                        absl::Hex(s.state_digest, absl::kZeroPad16), " history ",
                        absl::Hex(s.history_digest, absl::kZeroPad16));
  }

  std::string Restart() {
    const std::string bytes = ledger_.Freeze().Encode();
    absl::StatusOr<Ledger> restored = Ledger::DecodeSnapshot(bytes);
    if (!restored.ok()) return std::string(restored.status().message());
    const bool same = restored->summary().state_digest == ledger_.summary().state_digest;
    ledger_ = *std::move(restored);
    return absl::StrCat(bytes.size(), " bytes, ", same ? "same digest" : "OTHER DIGEST");
  }

  Ledger ledger_;
  int64_t time_ms_ = 0;
  Rules rules_ = Rules::kOwned;
};

class LedgerScripts : public testing::TestWithParam<std::string> {};

TEST_P(LedgerScripts, AnswersAsRecorded) {
  Script script;
  datadriven::Check(GetParam(), [&script](const std::vector<std::string>& commands) {
    std::string answers;
    for (const std::string& command : commands) answers += script.Run(command) + "\n";
    return answers;
  });
}

INSTANTIATE_TEST_SUITE_P(All, LedgerScripts, testing::ValuesIn(datadriven::ScriptPaths("ledger")),
                         datadriven::ScriptName);

}  // namespace
}  // namespace bank::ledger

int main(int argc, char** argv) { return bank::datadriven::Main(argc, argv); }
