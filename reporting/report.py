def write_report(folder, title, record, history, evaluations):
    pass
