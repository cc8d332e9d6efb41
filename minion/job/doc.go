// Package job takes jobs on a minion: it verifies them, keeps them in a
// journal on disk, runs each at most once, and offers the return until every
// live master has it.
//
// The order of what reaches the disk is what makes that true:
//
//	accepted (with the envelope, when the job must wait)
//	started                       before the first effect
//	returned (the value first)    before .fin is sent
//	settled                       when all live masters have acked; may be lost, then it is offered again
//
// A job that is accepted and started in the same moment has one record and one
// fdatasync for both. After a crash, a job that was only accepted runs if its
// window is open; one that was started is reported as interrupted.
package job
