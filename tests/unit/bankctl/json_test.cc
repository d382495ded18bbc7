// Goal: a script reads the keys that are documented, with values of the kind it expects.
// Method: one message with all kinds of fields, in rows of a field and its JSON.
#include "bankctl/json.h"

#include <gtest/gtest.h>

#include "bank/v1/admin.pb.h"
#include "bank/v1/monitor.pb.h"

namespace bank::bankctl {
namespace {

TEST(Json, EachKindOfField) {
  v1::AuditRecord record;
  record.set_id("a\"b");
  record.set_issued_unix_nanos(1'796'147'349'552'176'884);
  record.set_outcome(v1::CommandResult::TIMED_OUT);
  record.set_exit_status(-3);
  EXPECT_EQ(LineOf(Pick(record, {"id", "issued_unix_nanos", "ended_unix_nanos", "outcome",
                                 "exit_status", "what=message"})),
            R"({"id":"a\"b","issued_unix_nanos":"1796147349552176884","ended_unix_nanos":"0",)"
            R"("outcome":"timed_out","exit_status":-3,"what":""})"
            "\n");
  v1::BranchStatus status;
  status.set_branch(4'294'967'295);
  status.set_ready(true);
  status.set_position(UINT64_MAX);
  status.set_balance_total(INT64_MIN);
  EXPECT_EQ(LineOf(Pick(status, {"balance_total", "branch", "ready", "position"})),
            R"({"balance_total":-9223372036854775808,"branch":4294967295,"ready":true,)"
            R"("position":18446744073709551615})"
            "\n");
  v1::Agent agent;
  agent.set_incarnation(UINT64_MAX);
  EXPECT_EQ(LineOf(Pick(agent, {"incarnation"})), R"({"incarnation":"18446744073709551615"})"
                                                  "\n");
}

TEST(Json, AnEnumThatThisVersionDoesNotKnowIsItsNumber) {
  EXPECT_EQ(WordOf(v1::Event::ELECTION), "election");
  EXPECT_EQ(WordOf(static_cast<v1::Event::Kind>(99)), "99");
}

TEST(Json, WhatIsNotUtf8IsReplaced) {
  EXPECT_EQ(LineOf(Json{{"output", "a\xff"}}), "{\"output\":\"a\xef\xbf\xbd\"}\n");
}

TEST(JsonDeathTest, ANameThatIsNotASinglePlainFieldStops) {
  v1::BranchStatus status;
  EXPECT_DEATH(Pick(status, {"log_index"}), "has no single field log_index");
  EXPECT_DEATH(Pick(status, {"members"}), "has no single field members");
  EXPECT_DEATH(Pick(v1::Event(), {"audit"}), "is not one plain value");
}

}  // namespace
}  // namespace bank::bankctl
