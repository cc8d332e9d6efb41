package runner

import "slices"

// runnerTraits are what is to be known of runners, in order of name.
func runnerTraits() map[string]traits {
	return map[string]traits{
		"cache.clear_mine":           {derived: true},
		"cache.clear_mine_func":      {derived: true},
		"cache.clear_pillar":         {reads: true},
		"cache.grains":               {reads: true, right: "@minion.list"},
		"cache.mine":                 {reads: true},
		"cache.pillar":               {reads: true, secret: true},
		"doc.execution":              {reads: true},
		"doc.runner":                 {reads: true},
		"doc.wheel":                  {reads: true},
		"event.send":                 {right: "@event.send"},
		"fileserver.dir_list":        {reads: true},
		"fileserver.empty_dir_list":  {reads: true},
		"fileserver.envs":            {reads: true},
		"fileserver.file_list":       {reads: true},
		"fileserver.symlink_list":    {reads: true},
		"fileserver.update":          {right: "@master.refresh"},
		"jobs.active":                {reads: true, right: "@job.list"},
		"jobs.exit_success":          {reads: true, right: "@job.show"},
		"jobs.last_run":              {reads: true, right: "@job.show"},
		"jobs.list_job":              {reads: true, right: "@job.show"},
		"jobs.list_jobs":             {reads: true, right: "@job.list"},
		"jobs.list_jobs_filter":      {reads: true, right: "@job.list"},
		"jobs.lookup_jid":            {reads: true, right: "@job.show"},
		"jobs.master":                {reads: true, right: "@job.list"},
		"jobs.print_job":             {reads: true, right: "@job.show"},
		"manage.alived":              {reads: true, right: "@minion.list"},
		"manage.allowed":             {reads: true, right: "@minion.list"},
		"manage.down":                {right: "@minion.list"}, // its keys are decided about by who may do that
		"manage.joined":              {reads: true, right: "@minion.list"},
		"manage.list_not_state":      {reads: true, right: "@minion.list"},
		"manage.list_state":          {reads: true, right: "@minion.list"},
		"manage.not_alived":          {reads: true, right: "@minion.list"},
		"manage.not_allowed":         {reads: true, right: "@minion.list"},
		"manage.not_joined":          {reads: true, right: "@minion.list"},
		"manage.not_present":         {reads: true, right: "@minion.list"},
		"manage.not_reaped":          {reads: true, right: "@minion.list"},
		"manage.present":             {reads: true, right: "@minion.list"},
		"manage.reaped":              {reads: true, right: "@minion.list"},
		"manage.status":              {reads: true, right: "@minion.list"},
		"manage.up":                  {reads: true, right: "@minion.list"},
		"manage.versions":            {reads: true, right: "@minion.list"},
		"mine.get":                   {reads: true},
		"mine.update":                {derived: true},
		"pillar.show_pillar":         {reads: true, secret: true},
		"pillar.show_top":            {reads: true},
		"salt.cmd":                   {reads: true},
		"salt.execute":               {derived: true},
		"state.event":                {reads: true, right: "@event.list"},
		"state.orch":                 {derived: true, own: true, right: orchestrates},
		"state.orch_show_sls":        {reads: true, secret: true, right: orchestrates},
		"state.orchestrate":          {derived: true, own: true, right: orchestrates},
		"state.orchestrate_show_sls": {reads: true, secret: true, right: orchestrates},
		"state.orchestrate_single":   {derived: true, own: true, right: orchestrates},
		"state.pause":                {right: orchestrates},
		"state.resume":               {right: orchestrates},
		"state.rm_pause":             {right: orchestrates},
		"state.set_pause":            {right: orchestrates},
		"state.sls":                  {derived: true, own: true, right: orchestrates},
		"state.soft_kill":            {right: orchestrates},
		"test.arg":                   {reads: true},
		"test.raw_arg":               {reads: true},
		"test.sleep":                 {reads: true},
	}
}

// orchestrates is the right to orchestrate. What the steps do needs rights of its own.
const orchestrates = "@state.orchestrate"

// wheelTraits are what is to be known of wheels, in order of name.
func wheelTraits() map[string]traits {
	return map[string]traits{
		"file_roots.list_env":   {reads: true},
		"file_roots.list_roots": {reads: true},
		"file_roots.read":       {reads: true},
		"key.accept":            {right: "@key.decide"},
		"key.accept_dict":       {right: "@key.decide"},
		"key.delete":            {right: "@key.decide"},
		"key.delete_dict":       {right: "@key.decide"},
		"key.finger":            {reads: true, right: "@key.list"},
		"key.finger_master":     {reads: true, right: "@key.list"},
		"key.list":              {reads: true, right: "@key.list"},
		"key.list_all":          {reads: true, right: "@key.list"},
		"key.name_match":        {reads: true, right: "@key.list"},
		"key.reject":            {right: "@key.decide"},
		"key.reject_dict":       {right: "@key.decide"},
		"minions.connected":     {reads: true, right: "@minion.list"},
	}
}

// Rights are those to functions that work on masters, in order of name.
func Rights() []string {
	all := []string{orchestrates}
	for name := range runnerTraits() {
		all = append(all, "@"+Runner+"."+name)
	}
	for name := range wheelTraits() {
		all = append(all, "@"+Wheel+"."+name)
	}
	slices.Sort(all)
	return all
}
