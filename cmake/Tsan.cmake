# In the tsan preset: abseil's locks and gRPC's completions made known to the sanitizer
# (tests/support/tsan_absl_mutex.cc and tsan_grpc_calls.cc say why).
# Must come before any target that shall be covered.

if(BANK_SANITIZE STREQUAL "thread")
  add_library(bank_tsan STATIC
    ${PROJECT_SOURCE_DIR}/tests/support/tsan_absl_mutex.cc
    ${PROJECT_SOURCE_DIR}/tests/support/tsan_grpc_calls.cc)
  target_link_libraries(bank_tsan PUBLIC absl::synchronization ${CMAKE_DL_LIBS})
  # Libraries refer to what the two files define, also where our own code does not.
  add_link_options(-Wl,--undefined=bank_tsan_grpc_calls
                   -Wl,--undefined=__wrap__ZN4absl7debian35Mutex4LockEv)
  foreach(function
      _ZN4absl7debian35Mutex4LockEv
      _ZN4absl7debian35Mutex6UnlockEv
      _ZN4absl7debian35Mutex10ReaderLockEv
      _ZN4absl7debian35Mutex12ReaderUnlockEv
      _ZN4absl7debian35Mutex7TryLockEv
      _ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE
      _ZN4absl7debian35Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE
      _ZN4absl7debian35Mutex8LockWhenERKNS0_9ConditionE
      _ZN4absl7debian37CondVar4WaitEPNS0_5MutexE
      _ZN4absl7debian37CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE
      _ZN4absl7debian312Notification6NotifyEv
      _ZNK4absl7debian312Notification19WaitForNotificationEv
      _ZNK4absl7debian312Notification30WaitForNotificationWithTimeoutENS0_8DurationE)
    add_link_options(-Wl,--wrap=${function})
  endforeach()
  link_libraries(bank_tsan)
endif()
