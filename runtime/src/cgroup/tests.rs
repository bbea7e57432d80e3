use super::*;

#[test]
fn in_version_2_the_nearest_cgroup_that_gives_controllers_on_is_the_parent() {
    let top = tempfile::tempdir().unwrap();
    let cgroup = "0::/user.slice/app.slice/run.scope\n";
    let mountinfo = format!("25 1 0:22 / {} rw - cgroup2 cgroup2 rw\n", top.path().display());
    let found = hierarchy::hierarchies(cgroup.as_bytes(), mountinfo.as_bytes());
    let parents = parents(
        &found[hierarchy::of_controller(&found, "memory").unwrap()],
        Limits::default(),
    );
    let parents: Vec<_> = parents.into_iter().map(|(parent, _)| parent).collect();
    let names = [
        "user.slice/app.slice/run.scope",
        "user.slice/app.slice",
        "user.slice",
        "",
    ];
    assert_eq!(
        parents,
        names.map(|name| top.path().join(name).components().collect::<PathBuf>())
    );
    fs::create_dir_all(&parents[0]).unwrap();
    fs::write(parents[1].join("cgroup.subtree_control"), "memory pids\n").unwrap();
    let mut first = None;
    assert_eq!(usable(&parents[0], &["memory"], true, &mut first), [""; 0]);
    assert!(
        matches!(
            &first,
            Some(CgroupError::System {
                errno: Errno::ENOENT,
                ..
            })
        ),
        "{first:?}"
    );
    assert_eq!(
        usable(&parents[1], &["memory", "pids"], true, &mut first),
        ["memory", "pids"]
    );
    // Written to a file of the kernel's, it would be given on from now.
    assert_eq!(usable(&parents[1], &["cpu"], true, &mut first), ["cpu"]);
    assert!(
        fs::read_to_string(parents[1].join("cgroup.subtree_control"))
            .unwrap()
            .starts_with("+cpu")
    );
    assert_eq!(
        usable(&parents[0], &["memory"], false, &mut first),
        ["memory"],
        "version 1 asks nobody"
    );
}

#[test]
fn limits_of_cgroups_that_are_left_are_taken_along() {
    let top = tempfile::tempdir().unwrap();
    let mountinfo = format!("25 1 0:22 / {} rw - cgroup2 cgroup2 rw\n", top.path().display());
    let found = hierarchy::hierarchies(b"0::/a.slice/b.slice/run.scope\n", mountinfo.as_bytes());
    let own = &found[0].own;
    fs::create_dir_all(own).unwrap();
    for (cgroup, file, text) in [
        ("", "pids.max", "3\n"),
        ("a.slice", "memory.max", "1048576\n"),
        ("a.slice", "pids.max", "max\n"),
        ("a.slice/b.slice", "memory.max", "2097152\n"),
        ("a.slice/b.slice", "pids.max", "9\n"),
        ("a.slice/b.slice", "cpu.max", "max 100000\n"),
        ("a.slice/b.slice/run.scope", "memory.max", "max\n"),
        ("a.slice/b.slice/run.scope", "pids.max", "4915\n"),
        ("a.slice/b.slice/run.scope", "cpu.max", "25000 50000\n"),
    ] {
        fs::write(top.path().join(cgroup).join(file), text).unwrap();
    }
    let taken = |limits: Limits| -> Vec<_> {
        let parents = parents(&found[0], limits);
        let told = |(_, limits): &(PathBuf, Limits)| (limits.memory, limits.pids, limits.cpus);
        parents.iter().map(told).collect()
    };
    let (mega, asked) = (1 << 20, Limits::default());
    let pids = Limits { pids: Some(7), ..asked };
    let all = Limits {
        memory: Some(3 * mega),
        cpus: Some(1),
        ..pids
    };
    let half = Some(50);
    for (limits, expected) in [
        (
            asked,
            [
                (None, None, None),
                (None, Some(4915), half),
                (Some(2 * mega), Some(9), half),
                (Some(mega), Some(9), half),
            ],
        ),
        (
            pids,
            [
                (None, Some(7), None),
                (None, Some(7), half),
                (Some(2 * mega), Some(7), half),
                (Some(mega), Some(7), half),
            ],
        ),
        (all, [3, 3, 2, 1].map(|megas| (Some(megas * mega), Some(7), Some(1)))),
    ] {
        assert_eq!(taken(limits), expected, "{limits:?}");
    }
    // In version 1 nothing is left.
    let mut first = found[0].clone();
    first.unified = false;
    assert_eq!(parents(&first, pids), [(own.clone(), pids)]);
}

#[test]
fn a_limit_that_is_not_there_is_an_error_unless_it_is_optional() {
    for optional in [true, false] {
        let limits = Limits {
            optional,
            ..Limits::default()
        };
        let mut cgroups = Cgroups::default();
        let error = CgroupError::Missing { controller: "cpu" };
        let missed = cgroups.miss("cpu", limits, &error, Trace::default());
        assert_eq!(missed.is_ok(), optional);
        let degrees: Vec<_> = cgroups
            .degrees()
            .iter()
            .map(|(layer, degree)| (*layer, degree.name()))
            .collect();
        let expected: &[_] = if optional { &[(Layer::Cpus, "none")] } else { &[] };
        assert_eq!(degrees, expected);
    }
}

#[test]
fn a_cgroup_that_cannot_be_entered_stops_the_start_unless_limits_are_optional() {
    let top = tempfile::tempdir().unwrap();
    for optional in [true, false] {
        let leaf = leaf::tests::closed(&top.path().join("polecat-1-0"));
        let cgroups = Cgroups {
            leaves: vec![(leaf, vec!["memory", "pids"])],
            optional,
            ..Cgroups::default()
        };
        let mut status = Status::default();
        status.note(Layer::Memory, Degree::Full("by a cgroup".into()));
        let entered = cgroups.enter(&mut status);
        assert_eq!(entered.is_ok(), optional, "{entered:?}");
        let told = if optional { "none" } else { "full" };
        assert_eq!(status.degree(Layer::Memory).name(), told);
    }
}

#[test]
fn without_who_takes_cgroups_away_it_starts_only_if_limits_are_optional() {
    for (optional, started, expected) in [
        (true, Ok(7), Ok(Some(7))),
        (false, Ok(7), Ok(Some(7))),
        (true, Err(Errno::EAGAIN), Ok(None)),
        (false, Err(Errno::EAGAIN), Err(CgroupError::Remover(Errno::EAGAIN))),
    ] {
        let limits = Limits {
            optional,
            ..Limits::default()
        };
        assert_eq!(remover_of(started, limits, Trace::default()), expected, "{optional}");
    }
}
